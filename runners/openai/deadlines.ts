/** The clocks of one attempt. */
import { transient } from "./failure.ts";
import type { AttemptError } from "./failure.ts";

export interface Timeouts {
  /** To open a connection. Default: 10 s. */
  readonly connectMs: number;
  /** Until the first byte of the response's body, whatever it is. Default: 10 minutes. */
  readonly firstByteMs: number;
  /** Between two pieces of the body. Pings are some: the connection is alive. Default: 2 minutes. */
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
  #phaseName: "waiting" | "reading" | "winding up" = "waiting";

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
  heard(): void {
    if (this.#phaseName === "reading") this.#phase.refresh();
    if (this.#phaseName !== "waiting") return;
    this.#phaseName = "reading";
    this.#idle(this.#timeouts.idleMs);
  }

  /** All that matters has come: whatever else does gives no more time. */
  windUp(): void {
    if (this.#phaseName === "winding up") return;
    this.#phaseName = "winding up";
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
