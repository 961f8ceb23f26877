/** What the MoE layers gave out for a sequence's tokens, noted pass by pass. */
import type { ModelConfig } from "./config.ts";
import type { ScoreOutputs } from "./requests.ts";

export class OutputLog {
  readonly #config: ModelConfig;
  readonly #rows: readonly Float32Array[][];
  readonly #logits: Float32Array[] = [];

  constructor(config: ModelConfig) {
    this.#config = config;
    this.#rows = Array.from({ length: config.nLayers }, () => []);
  }

  /** Takes the sequence's next tokens, `count` rows of y [rows, H] from `row` on. */
  append(layer: number, y: Float32Array, row: number, count: number): void {
    const { hiddenSize } = this.#config;
    this.#rows[layer]?.push(y.slice(row * hiddenSize, (row + count) * hiddenSize));
  }

  /** Takes the logits that a token of the completion is judged by. */
  appendLogits(logits: Float32Array, start: number): void {
    this.#logits.push(logits.slice(start, start + this.#config.vocabSize));
  }

  result(): ScoreOutputs {
    const { hiddenSize, nLayers, vocabSize, moe } = this.#config;
    const layers = Array.from({ length: nLayers - moe.firstDenseLayers }, (_, i) => moe.firstDenseLayers + i);
    const values = layers.map((layer) => joined(this.#rows[layer] ?? []));
    return { layers, hiddenSize, values, vocabSize, logits: joined(this.#logits) };
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
