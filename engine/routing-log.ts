/** Which experts a sequence's tokens were routed to, noted pass by pass; its length need not be known. */
import type { ModelConfig } from "./config.ts";
import type { RoutedInput } from "./model.ts";
import type { RoutingCapture } from "./requests.ts";

export class RoutingLog {
  readonly #config: ModelConfig;
  readonly #topkIds: readonly number[][];
  readonly #topkWeights: readonly number[][];
  readonly #margins: readonly number[][];

  constructor(config: ModelConfig) {
    this.#config = config;
    const perLayer = (): number[][] => Array.from({ length: config.nLayers }, () => []);
    this.#topkIds = perLayer();
    this.#topkWeights = perLayer();
    this.#margins = perLayer();
  }

  /** Takes the sequence's next tokens from a forward pass over them alone. */
  appendAll(layer: number, input: RoutedInput): void {
    for (let row = 0; row < input.nTokens; row++) this.append(layer, input, row);
  }

  /** Takes the sequence's next token from one row of a forward pass over several sequences. */
  append(layer: number, { topkIds, topkWeights, margins, nExpertsAct }: RoutedInput, row: number): void {
    for (let i = row * nExpertsAct; i < (row + 1) * nExpertsAct; i++) {
      this.#topkIds[layer]?.push(topkIds[i] as number);
      this.#topkWeights[layer]?.push(topkWeights[i] as number);
    }
    this.#margins[layer]?.push(margins?.[row] ?? Number.NaN);
  }

  result(): RoutingCapture {
    const { nLayers, moe } = this.#config;
    const layers = Array.from({ length: nLayers - moe.firstDenseLayers }, (_, i) => moe.firstDenseLayers + i);
    const flat = (perLayer: readonly number[][]): number[] => layers.flatMap((layer) => perLayer[layer] ?? []);
    return {
      layers,
      nTokens: (this.#margins.at(-1) ?? []).length,
      nExpertsAct: moe.nExpertsAct,
      nExpertsTot: moe.nExpertsTot,
      topkIds: Uint16Array.from(flat(this.#topkIds)),
      topkWeights: Float32Array.from(flat(this.#topkWeights)),
      margins: Float32Array.from(flat(this.#margins)),
    };
  }
}
