/** The text of a completion while its tokens arrive, watched for stop strings. */

/** Bytes as a string of the same length, one character per byte: JavaScript can search that, and it cannot split a character. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

export class GrowingText {
  #bytes = "";
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

  /** The text so far; bytes that are not whole UTF-8 characters become U+FFFD. */
  toString(): string {
    return Buffer.from(this.#bytes, "latin1").toString("utf8");
  }
}
