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

const AT_ONCE_MS = 1000;

/** Fewer failed attempts may be an accident, however far apart they are. */
const MIN_UNREACHABLE_ATTEMPTS = 3;

export class Breaker {
  readonly #options: BreakerOptions;
  readonly #controller = new AbortController();
  #unreachable = { attempts: 0, since: 0 };
  #failedRequests = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Aborts with an `EngineLostError`. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A response of any kind has come. */
  reached(): void {
    this.#unreachable.attempts = 0;
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
    if (this.#unreachable.attempts === 0) this.#unreachable.since = now;
    this.#unreachable.attempts++;
    const { attempts, since } = this.#unreachable;
    if (attempts >= MIN_UNREACHABLE_ATTEMPTS && now - since >= this.#options.unreachableMs)
      this.#open(`the server has been out of reach for ${((now - since) / 1000).toFixed(1)} s: ${message}`);
  }

  requestAnswered(): void {
    this.#failedRequests = 0;
  }

  requestFailed({ status, message }: Failure): void {
    // These blame the request: the server is in good health.
    if (status === 400 || status === 413 || status === 422) return;
    this.#failedRequests++;
    if (this.#failedRequests >= this.#options.failedInARow)
      this.#open(`${this.#failedRequests} requests in a row got no answer; the last: ${message}`);
  }

  #open(reason: string): void {
    if (this.signal.aborted) return;
    this.#controller.abort(
      new EngineLostError(`${reason}; once the server is back, the same command goes on from here`),
    );
  }
}
