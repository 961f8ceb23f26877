/** Chooses which of several replicas gets the next request. */

/** A replica that could not be reached is passed over for so long, doubled each time, while there are others. */
const PENALTY_MS = 1000;
const MAX_PENALTY_MS = 30_000;

interface State<Replica> {
  readonly replica: Replica;
  inFlight: number;
  sent: number;
  failures: number;
  shunnedUntil: number;
  heldUntil: number;
}

export class Replicas<Replica> {
  readonly #states: readonly State<Replica>[];
  readonly #now: () => number;

  constructor(replicas: readonly [Replica, ...Replica[]], now: () => number) {
    this.#now = now;
    this.#states = replicas.map((replica) => ({
      replica,
      inFlight: 0,
      sent: 0,
      failures: 0,
      shunnedUntil: 0,
      heldUntil: 0,
    }));
  }

  /**
   * The least busy, in order of: in reach as far as is known and willing, not the one to avoid, fewest requests in flight, fewest
   * sent. One that refuses connections is never busy, and would otherwise draw everything to itself.
   *
   * @param avoid - the replica that the last attempt failed on
   */
  acquire(avoid?: Replica): Lease<Replica> {
    const now = this.#now();
    const rank = (state: State<Replica>): readonly number[] => [
      Math.max(state.shunnedUntil, state.heldUntil) > now ? 1 : 0,
      state.replica === avoid ? 1 : 0,
      state.inFlight,
      state.sent,
    ];
    const [least] = this.#states.toSorted((a, b) => compare(rank(a), rank(b)));
    const state = least as State<Replica>;
    state.inFlight++;
    state.sent++;
    return {
      replica: state.replica,
      reached: () => {
        state.failures = 0;
        state.shunnedUntil = 0;
      },
      unreachable: () => {
        state.shunnedUntil = this.#now() + Math.min(MAX_PENALTY_MS, PENALTY_MS * 2 ** state.failures);
        state.failures++;
      },
      hold: (ms) => {
        state.heldUntil = Math.max(state.heldUntil, this.#now() + ms);
      },
      release: () => {
        state.inFlight--;
      },
    };
  }

  /** Milliseconds until one of them takes requests again; 0 where one does. */
  heldMs(): number {
    const until = Math.min(...this.#states.map(({ heldUntil }) => heldUntil));
    return Math.max(0, until - this.#now());
  }
}

export interface Lease<Replica> {
  readonly replica: Replica;
  readonly reached: () => void;
  readonly unreachable: () => void;
  /** It asked to be left alone for so many milliseconds: no request goes there until then, while there are others. */
  readonly hold: (ms: number) => void;
  readonly release: () => void;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((value, i) => value !== b[i]);
  return differing === -1 ? 0 : (a[differing] as number) - (b[differing] as number);
}
