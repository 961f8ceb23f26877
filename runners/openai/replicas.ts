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
}

export class Replicas<Replica> {
  readonly #states: readonly State<Replica>[];
  readonly #now: () => number;
  readonly #heldMs: (replica: Replica) => number;

  /** @param heldMs - how long a replica is still to be left alone, because it asked for it */
  constructor(
    replicas: readonly [Replica, ...Replica[]],
    now: () => number,
    heldMs: (replica: Replica) => number = () => 0,
  ) {
    this.#now = now;
    this.#heldMs = heldMs;
    this.#states = replicas.map((replica) => ({ replica, inFlight: 0, sent: 0, failures: 0, shunnedUntil: 0 }));
  }

  /**
   * The least busy, in order of: not to be left alone, in reach as far as is known, not the one to avoid, fewest requests in
   * flight, fewest sent. One that refuses connections is never busy, and would otherwise draw everything to itself.
   *
   * @param avoid - the replica that the last attempt failed on
   */
  acquire(avoid?: Replica): Lease<Replica> {
    const now = this.#now();
    const rank = (state: State<Replica>): readonly number[] => [
      this.#heldMs(state.replica) > 0 ? 1 : 0,
      state.shunnedUntil > now ? 1 : 0,
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
      release: () => {
        state.inFlight--;
      },
    };
  }

  /**
   * How long to wait before the next request: where some are to be left alone, until any is free and may be in reach, so
   * that attempts are not spent on one that is gone. Where none is, one is asked at once, whatever it did.
   */
  waitMs(): number {
    const now = this.#now();
    const held = this.#states.map(({ replica }) => this.#heldMs(replica));
    if (held.every((ms) => ms === 0)) return 0;
    return Math.min(...this.#states.map(({ shunnedUntil }, i) => Math.max(held[i] as number, shunnedUntil - now, 0)));
  }
}

export interface Lease<Replica> {
  readonly replica: Replica;
  readonly reached: () => void;
  readonly unreachable: () => void;
  readonly release: () => void;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const differing = a.findIndex((value, i) => value !== b[i]);
  return differing === -1 ? 0 : (a[differing] as number) - (b[differing] as number);
}
