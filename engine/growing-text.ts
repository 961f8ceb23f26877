/** The text of a completion while its tokens arrive, watched for stop strings. */

/** Bytes as a string of the same length, one character per byte: JavaScript can search that, and it cannot split a character. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export class GrowingText {
  #bytes = "";
  /** Bytes that `takeCertain` has gone through. */
  #taken = 0;
  // Keeps the beginning of a character back until its end has come; a byte order mark is text like any other.
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #stops: readonly string[];
  readonly #longestStop: number;

  constructor(stop: readonly string[]) {
    const encoder = new TextEncoder();
    this.#stops = stop.filter((text) => text !== "").map((text) => latin1(encoder.encode(text)));
    this.#longestStop = Math.max(0, ...this.#stops.map((text) => text.length));
  }

  /**
   * Appends a token's bytes.
   *
   * @returns true when a stop string is now complete; the text then ends before it
   */
  push(token: Uint8Array): boolean {
    // Only a match that reaches into the new bytes can be new.
    const from = Math.max(0, this.#bytes.length - this.#longestStop + 1);
    this.#bytes += latin1(token);
    const matches = this.#stops.map((stop) => this.#bytes.indexOf(stop, from)).filter((at) => at >= 0);
    if (matches.length === 0) return false;
    this.#bytes = this.#bytes.slice(0, Math.min(...matches));
    return true;
  }

  /**
   * Text that has become certain since the last call: whole characters, without what may turn out to be the beginning
   * of a stop string. Not to be called once a stop string is complete.
   */
  takeCertain(): string {
    const end = this.#bytes.length - this.#heldBack();
    if (end <= this.#taken) return "";
    const bytes = Buffer.from(this.#bytes.slice(this.#taken, end), "latin1");
    this.#taken = end;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** Bytes at the end that a stop string begins with. */
  #heldBack(): number {
    let length = Math.min(this.#longestStop - 1, this.#bytes.length - this.#taken);
    const begun = (stop: string): boolean => length < stop.length && this.#bytes.endsWith(stop.slice(0, length));
    while (length > 0 && !this.#stops.some(begun)) length--;
    return Math.max(0, length);
  }

  /** The text so far; bytes that are not whole UTF-8 characters become U+FFFD. */
  toString(): string {
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(this.#bytes, "latin1"));
  }
}
