/** The clocks of one attempt. */
import { transient } from "./failure.ts";
import type { AttemptError } from "./failure.ts";

export interface Timeouts {
  /** To open a connection. Default: 10 s. */
  readonly connectMs: number;
  /** Until the response starts: its first piece of body, or of text where it is streamed. Default: 10 minutes. */
  readonly firstByteMs: number;
  /** Between two pieces of the response. Pings are none. Default: 2 minutes. */
  readonly idleMs: number;
  /** For the whole attempt. Default: 15 minutes. */
  readonly totalMs: number;
}

/** A server that has said that it is done may take so long to end the response, before the connection is given up. */
const WIND_UP_MS = 1000;

export class Deadlines {
  readonly #timeouts: Timeouts;
  readonly #expire: (error: AttemptError) => void;
  readonly #total: NodeJS.Timeout;
  #phase: NodeJS.Timeout;
  #started = false;

  constructor(timeouts: Timeouts, expire: (error: AttemptError) => void) {
    this.#timeouts = timeouts;
    this.#expire = expire;
    const { totalMs, firstByteMs } = timeouts;
    this.#total = setTimeout(() => expire(transient("total-timeout", `not done within ${seconds(totalMs)}`)), totalMs);
    this.#phase = setTimeout(
      () => expire(transient("first-byte-timeout", `no response within ${seconds(firstByteMs)}`)),
      firstByteMs,
    );
  }

  /** A piece of the response has come. */
  progress(): void {
    if (this.#started) {
      this.#phase.refresh();
      return;
    }
    this.#started = true;
    this.#idle(this.#timeouts.idleMs);
  }

  /** All that matters has come. */
  windUp(): void {
    this.#started = true;
    this.#idle(WIND_UP_MS);
  }

  clear(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#phase);
  }

  #idle(ms: number): void {
    clearTimeout(this.#phase);
    this.#phase = setTimeout(
      () => this.#expire(transient("idle-timeout", `the response stopped for ${seconds(ms)}`)),
      ms,
    );
  }
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
