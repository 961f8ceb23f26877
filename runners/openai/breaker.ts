/** Notices that the engine has died, so that a run ends in seconds rather than after every retry of every doc. */
import { EngineLostError } from "../runner.ts";
import type { Failure } from "./failure.ts";

export interface BreakerOptions {
  /**
   * No replica could be reached for so long. Default: 10 s: longer than a load balancer takes to turn over, shorter than
   * anybody wants to wait for a dead server.
   */
  readonly unreachableMs: number;
  /** So many requests in a row have ended without an answer, each after all its attempts. Default: 20. */
  readonly failedInARow: number;
}

export interface BreakerContext {
  /**
   * Whether a replica responds, whatever it says. Asked once the time is over: requests that wait for their next attempt
   * may not have looked for long. Default: nobody looks, the next attempt decides.
   */
  readonly probe?: () => Promise<boolean>;
  /** What to do about a key that is refused. */
  readonly keyAdvice?: string;
}

const AT_ONCE_MS = 1000;

const ONCE_BACK = "once the server is back, the same command goes on from here";

/** Fewer failed attempts may be an accident, however far apart they are. */
const MIN_UNREACHABLE_ATTEMPTS = 3;

/** A key that was refused so often is refused; one request alone may be a replica that was set up otherwise. */
const REFUSED_IN_A_ROW = 3;

export class Breaker {
  readonly #options: BreakerOptions;
  readonly #context: BreakerContext;
  readonly #controller = new AbortController();
  #unreachable = { attempts: 0, since: 0, last: "" };
  #look: NodeJS.Timeout | undefined;
  #failedRequests = 0;
  #refusedRequests = 0;

  constructor(options: BreakerOptions, context: BreakerContext = {}) {
    this.#options = options;
    this.#context = context;
  }

  /** Aborts with an `EngineLostError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A response of any kind has come. */
  reached(): void {
    this.#unreachable.attempts = 0;
    clearTimeout(this.#look);
  }

  /**
   * @param tookMs - how long the attempt took
   * @param now - in milliseconds, on a clock that never goes back
   */
  attemptFailed({ kind, message }: Failure, tookMs: number, now: number): void {
    // What forwards a port accepts connections for a server that is gone, and breaks them at once.
    const outOfReach =
      kind === "unreachable" || kind === "connect-timeout" || (kind === "reset" && tookMs < AT_ONCE_MS);
    if (!outOfReach) return;
    const { unreachableMs } = this.#options;
    if (this.#unreachable.attempts === 0) {
      this.#unreachable.since = now;
      this.#look = setTimeout(() => void this.#lookAgain(), unreachableMs).unref();
    }
    this.#unreachable.attempts++;
    this.#unreachable.last = message;
    const { attempts, since } = this.#unreachable;
    if (attempts >= MIN_UNREACHABLE_ATTEMPTS && now - since >= unreachableMs) this.#outOfReach(now - since);
  }

  requestAnswered(): void {
    this.#failedRequests = 0;
    this.#refusedRequests = 0;
  }

  requestFailed({ status, message }: Failure): void {
    if (status === 401 || status === 403) {
      this.#refusedRequests++;
      const advice = this.#context.keyAdvice ?? "use another key";
      if (this.#refusedRequests >= REFUSED_IN_A_ROW)
        this.#open(`the server refuses the key: ${message}; ${advice}, and the same command goes on from here`);
      return;
    }
    // These blame the request: the server is in good health.
    if (status === 400 || status === 413 || status === 422) return;
    this.#failedRequests++;
    if (this.#failedRequests >= this.#options.failedInARow)
      this.#open(`${this.#failedRequests} requests in a row got no answer; the last: ${message}; ${ONCE_BACK}`);
  }

  /** No more is looked for. */
  close(): void {
    clearTimeout(this.#look);
  }

  async #lookAgain(): Promise<void> {
    const { probe } = this.#context;
    if (probe === undefined) return;
    const { since } = this.#unreachable;
    if (await probe()) this.reached();
    // It may have been reached, and lost anew, in the meantime.
    else if (this.#unreachable.attempts > 0 && this.#unreachable.since === since)
      this.#outOfReach(this.#options.unreachableMs);
  }

  #outOfReach(ms: number): void {
    const { last } = this.#unreachable;
    this.#open(`the server has been out of reach for ${(ms / 1000).toFixed(1)} s: ${last}; ${ONCE_BACK}`);
  }

  #open(reason: string): void {
    this.close();
    if (!this.signal.aborted) this.#controller.abort(new EngineLostError(reason));
  }
}
