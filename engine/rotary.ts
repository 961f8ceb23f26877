/** Cosines and sines of rotary position embeddings, made once for every position of the context. */
import type { ModelConfig } from "./config.ts";

/** One row of `rotaryDim / 2` values per token. */
export interface RotaryRows {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

export class RotaryTable {
  readonly #half: number;
  readonly #cos: Float32Array;
  readonly #sin: Float32Array;

  constructor({ rotaryDim, ropeTheta, contextLength }: ModelConfig) {
    const half = rotaryDim / 2;
    this.#half = half;
    this.#cos = new Float32Array(contextLength * half);
    this.#sin = new Float32Array(contextLength * half);
    for (let i = 0; i < half; i++) {
      // Rounded to float32 where the trusted implementation rounds: the frequency, then the angle.
      const frequency = Math.fround(1 / Math.fround(ropeTheta ** Math.fround((2 * i) / rotaryDim)));
      for (let position = 0; position < contextLength; position++) {
        const angle = Math.fround(position * frequency);
        this.#cos[position * half + i] = Math.cos(angle);
        this.#sin[position * half + i] = Math.sin(angle);
      }
    }
  }

  /** `count` consecutive positions from `start` on. */
  range(start: number, count: number): RotaryRows {
    const [from, to] = [start * this.#half, (start + count) * this.#half];
    return { cos: this.#cos.subarray(from, to), sin: this.#sin.subarray(from, to) };
  }

  /** One row per given position. */
  rows(positions: readonly number[]): RotaryRows {
    const cos = new Float32Array(positions.length * this.#half);
    const sin = new Float32Array(positions.length * this.#half);
    for (const [row, position] of positions.entries()) {
      const { cos: c, sin: s } = this.range(position, 1);
      cos.set(c, row * this.#half);
      sin.set(s, row * this.#half);
    }
    return { cos, sin };
  }
}
