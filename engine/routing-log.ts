/** Which experts a sequence's tokens were routed to, noted while it is generated and its length is not known yet. */
import type { ModelConfig } from "./config.ts";
import type { RoutingObserver } from "./model.ts";
import type { RoutingCapture } from "./requests.ts";
import type { RoutingInput } from "./routing/routing-data.ts";

export class RoutingLog {
  readonly #config: ModelConfig;
  readonly #topkIds: readonly number[][];
  readonly #topkWeights: readonly number[][];

  constructor(config: ModelConfig) {
    this.#config = config;
    this.#topkIds = Array.from({ length: config.nLayers }, () => []);
    this.#topkWeights = Array.from({ length: config.nLayers }, () => []);
  }

  /** Sees a forward pass over the sequence's next tokens. */
  readonly observe: RoutingObserver = (layer, input) => {
    for (let row = 0; row < input.nTokens; row++) this.append(layer, input, row);
  };

  /** Takes the sequence's next token from one row of a forward pass over several sequences. */
  append(layer: number, { topkIds, topkWeights, nExpertsAct }: RoutingInput, row: number): void {
    for (let i = row * nExpertsAct; i < (row + 1) * nExpertsAct; i++) {
      this.#topkIds[layer]?.push(topkIds[i] as number);
      this.#topkWeights[layer]?.push(topkWeights[i] as number);
    }
  }

  result(): RoutingCapture {
    const { nLayers, moe } = this.#config;
    const layers = Array.from({ length: nLayers - moe.firstDenseLayers }, (_, i) => moe.firstDenseLayers + i);
    return {
      layers,
      nTokens: (this.#topkIds.at(-1) ?? []).length / moe.nExpertsAct,
      nExpertsAct: moe.nExpertsAct,
      nExpertsTot: moe.nExpertsTot,
      topkIds: Uint16Array.from(layers.flatMap((layer) => this.#topkIds[layer] ?? [])),
      topkWeights: Float32Array.from(layers.flatMap((layer) => this.#topkWeights[layer] ?? [])),
    };
  }
}
