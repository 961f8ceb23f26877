/** The keys and values of one sequence, in every layer. Written once per token, read in place, never copied as a whole. */
import type { ModelConfig } from "./config.ts";

export class KvCache {
  /** Tokens whose keys and values every layer holds. */
  length = 0;
  readonly capacity: number;
  readonly #nKvHeads: number;
  readonly #headDim: number;
  /** [layer][KV head] -> [capacity, D]; one block per head, so that a head's first rows are one contiguous view. */
  readonly #keys: Float32Array[][];
  readonly #values: Float32Array[][];

  constructor(config: ModelConfig, capacity: number) {
    this.capacity = capacity;
    this.#nKvHeads = config.nKvHeads;
    this.#headDim = config.headDim;
    // Fresh pages cost nothing until they are written, so room for the whole context is not memory in use.
    const blocks = (): Float32Array[][] =>
      Array.from({ length: config.nLayers }, () =>
        Array.from({ length: config.nKvHeads }, () => new Float32Array(capacity * config.headDim)),
      );
    this.#keys = blocks();
    this.#values = blocks();
  }

  /** Stores one layer's keys and values [tokens, KV heads, D], rows `from` to `to`, at positions `at` and on. */
  write(layer: number, k: Float32Array, v: Float32Array, from: number, to: number, at: number): void {
    for (let head = 0; head < this.#nKvHeads; head++) {
      scatterHead(k, this.#block(this.#keys, layer, head), from, to, at, head, this.#nKvHeads, this.#headDim);
      scatterHead(v, this.#block(this.#values, layer, head), from, to, at, head, this.#nKvHeads, this.#headDim);
    }
  }

  /** Keys of one head at the first `length` positions, [length, D]: a view, not a copy. */
  keys(layer: number, head: number, length: number): Float32Array {
    return this.#block(this.#keys, layer, head).subarray(0, length * this.#headDim);
  }

  values(layer: number, head: number, length: number): Float32Array {
    return this.#block(this.#values, layer, head).subarray(0, length * this.#headDim);
  }

  /** Takes over the first `length` positions of another sequence that begins with the same tokens. */
  copyPrefix(source: KvCache, length: number): void {
    for (const [mine, theirs] of [
      [this.#keys, source.#keys],
      [this.#values, source.#values],
    ] as const) {
      for (let layer = 0; layer < mine.length; layer++) {
        for (let head = 0; head < this.#nKvHeads; head++) {
          const rows = this.#block(theirs, layer, head).subarray(0, length * this.#headDim);
          this.#block(mine, layer, head).set(rows);
        }
      }
    }
    this.length = length;
  }

  #block(blocks: Float32Array[][], layer: number, head: number): Float32Array {
    return (blocks[layer] as Float32Array[])[head] as Float32Array;
  }
}

function scatterHead(
  source: Float32Array,
  target: Float32Array,
  from: number,
  to: number,
  at: number,
  head: number,
  nHeads: number,
  headDim: number,
): void {
  for (let row = from; row < to; row++) {
    const start = (row * nHeads + head) * headDim;
    target.set(source.subarray(start, start + headDim), (at + row - from) * headDim);
  }
}
