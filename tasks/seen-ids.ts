/** Which whole numbers were seen, a bit for each in blocks: dense ids of any count stay small, and a Set ends at 2^24. */
const BLOCK_BITS = 1024;

export class SeenIds {
  readonly #blocks = new Map<number, Uint32Array>();

  /** Notes an id (a safe whole number, at least 0); false when it was seen before. */
  add(id: number): boolean {
    const blockAt = Math.floor(id / BLOCK_BITS);
    let block = this.#blocks.get(blockAt);
    if (block === undefined) this.#blocks.set(blockAt, (block = new Uint32Array(BLOCK_BITS / 32)));
    const bit = id % BLOCK_BITS;
    const mask = 1 << (bit & 31);
    if ((block[bit >>> 5]! & mask) !== 0) return false;
    block[bit >>> 5]! |= mask;
    return true;
  }
}
