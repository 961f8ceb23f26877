/**
 * Replicas that have asked to be left alone (`Retry-After`), and until when. Answers, captures and all else that is asked
 * of them share it: whoever was not turned away itself keeps away all the same.
 */
export interface HoldsOptions {
  /** Who asks for longer is not waited for, in milliseconds. */
  readonly retryAfterMaxMs: number;
  /** Told once why nothing happens, and until when. */
  readonly notify: (text: string) => void;
  /** In milliseconds, on a clock that never goes back. Default: the process's. */
  readonly now?: () => number;
}

/** A shorter wait than this needs no words. */
const TELL_FROM_MS = 5000;

export class Holds {
  readonly #urls: readonly string[];
  readonly #options: HoldsOptions;
  readonly #now: () => number;
  readonly #until = new Map<string, number>();
  #toldUntil = -Infinity;

  constructor(urls: readonly string[], options: HoldsOptions) {
    this.#urls = urls;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** How long one of them is still to be left alone. */
  heldMs(url: string): number {
    return Math.max(0, (this.#until.get(url) ?? 0) - this.#now());
  }

  /** How long all of them are. */
  freeInMs(): number {
    return Math.min(...this.#urls.map((url) => this.heldMs(url)));
  }

  /** @param why - what it said */
  hold(url: string, ms: number, why: string): void {
    const { retryAfterMaxMs, notify } = this.#options;
    if (ms > retryAfterMaxMs) return;
    const now = this.#now();
    this.#until.set(url, Math.max(this.#until.get(url) ?? 0, now + ms));
    const free = this.freeInMs();
    if (free < TELL_FROM_MS || now + free < this.#toldUntil + TELL_FROM_MS) return;
    this.#toldUntil = now + free;
    notify(`no request is sent before ${new Date(Date.now() + free).toLocaleTimeString()}: ${why}`);
  }
}
