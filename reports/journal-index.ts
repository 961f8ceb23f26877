/** Where each doc's row stands in a journal, in columns: a hundred thousand docs must not show in the memory. */

/** A row's place in its file, and whether it says that its doc failed. */
export interface Entry {
  readonly offset: number;
  /** Without the line feed; below 2^31. */
  readonly bytes: number;
  readonly failed: boolean;
}

/** Docs per block: ids are dense mostly, and one that is far off costs no more than this. */
const BLOCK = 256;

interface Columns {
  readonly offsets: Float64Array;
  /** Twice the bytes, and one more where the doc failed; 0 where there is no row, which has some bytes. */
  readonly sizes: Uint32Array;
}

export class JournalIndex {
  readonly #blocks: Map<number, Columns> = new Map();
  #size = 0;

  /** How many docs have a row. */
  get size(): number {
    return this.#size;
  }

  get(docId: number): Entry | undefined {
    const block = this.#blocks.get(Math.floor(docId / BLOCK));
    const size = block?.sizes[docId % BLOCK] ?? 0;
    if (block === undefined || size === 0) return undefined;
    return { offset: block.offsets[docId % BLOCK] as number, bytes: size >>> 1, failed: (size & 1) === 1 };
  }

  /** @param docId - a safe whole number, at least 0 */
  set(docId: number, { offset, bytes, failed }: Entry): void {
    const at = Math.floor(docId / BLOCK);
    let block = this.#blocks.get(at);
    if (block === undefined) {
      block = { offsets: new Float64Array(BLOCK), sizes: new Uint32Array(BLOCK) };
      this.#blocks.set(at, block);
    }
    if (block.sizes[docId % BLOCK] === 0) this.#size += 1;
    block.offsets[docId % BLOCK] = offset;
    block.sizes[docId % BLOCK] = bytes * 2 + (failed ? 1 : 0);
  }

  /** The docs that have a row, rising. */
  *docIds(): Generator<number> {
    for (const at of [...this.#blocks.keys()].toSorted((a, b) => a - b)) {
      for (const [i, size] of (this.#blocks.get(at) as Columns).sizes.entries()) if (size !== 0) yield at * BLOCK + i;
    }
  }
}
