import type { FileHandle } from "node:fs/promises";

const LINE_FEED = 10;
const CHUNK_BYTES = 1 << 16;

/** One line of a file, without its line feed. */
export interface Line {
  /** From 1. */
  readonly number: number;
  /** Where it starts in the file, in bytes. */
  readonly offset: number;
  readonly bytes: Buffer;
  /** False for what follows the last line feed: a line that was cut while it was written. */
  readonly complete: boolean;
}

/**
 * The lines of a file, streamed. Lines end at a line feed and nowhere else: U+2028 is text (`readline` would split there).
 *
 * @throws RangeError when a line is longer than `maxBytes`.
 */
export async function* readLines(file: FileHandle, size: number, maxBytes: number): AsyncGenerator<Line> {
  let number = 1;
  let offset = 0;
  let position = 0;
  // Pieces of a line that is not finished yet, joined once: a long line costs its length, not its square.
  let pieces: Buffer[] = [];
  let pending = 0;
  while (position < size) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - position));
    const { bytesRead } = await file.read(chunk, 0, chunk.length, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    let start = 0;
    for (;;) {
      const end = chunk.subarray(0, bytesRead).indexOf(LINE_FEED, start);
      const piece = chunk.subarray(start, end < 0 ? bytesRead : end);
      pieces.push(piece);
      pending += piece.length;
      if (pending > maxBytes) throw new RangeError(`line ${number} is longer than ${maxBytes} bytes`);
      if (end < 0) break;
      const bytes = Buffer.concat(pieces, pending);
      yield { number, offset, bytes, complete: true };
      number++;
      offset += bytes.length + 1;
      pieces = [];
      pending = 0;
      start = end + 1;
    }
  }
  if (pending > 0) yield { number, offset, bytes: Buffer.concat(pieces, pending), complete: false };
}
