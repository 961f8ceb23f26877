/** Which experts a sequence's tokens were routed to, noted pass by pass; its length need not be known. */
import type { ModelConfig } from "./config.ts";
import type { RoutedInput } from "./model.ts";
import type { CloseChoices, RoutingCapture } from "./requests.ts";

export class RoutingLog {
  readonly #config: ModelConfig;
  readonly #topkIds: readonly number[][];
  readonly #topkWeights: readonly number[][];
  readonly #margins: readonly number[][];
  /** Of each layer: a token's place in the sequence, and its scores. */
  readonly #close: readonly { readonly token: number; readonly scores: Float32Array }[][];

  constructor(config: ModelConfig) {
    this.#config = config;
    const perLayer = (): number[][] => Array.from({ length: config.nLayers }, () => []);
    this.#topkIds = perLayer();
    this.#topkWeights = perLayer();
    this.#margins = perLayer();
    this.#close = Array.from({ length: config.nLayers }, () => []);
  }

  /** Takes the sequence's next tokens from a forward pass over them alone. */
  appendAll(layer: number, input: RoutedInput): void {
    for (let row = 0; row < input.nTokens; row++) this.append(layer, input, row);
  }

  /** Takes the sequence's next token from one row of a forward pass over several sequences. */
  append(layer: number, routed: RoutedInput, row: number): void {
    const { topkIds, topkWeights, margins, closeScores, nExpertsAct } = routed;
    for (let i = row * nExpertsAct; i < (row + 1) * nExpertsAct; i++) {
      this.#topkIds[layer]?.push(topkIds[i] as number);
      this.#topkWeights[layer]?.push(topkWeights[i] as number);
    }
    const scores = closeScores?.get(row);
    if (scores !== undefined) this.#close[layer]?.push({ token: this.#margins[layer]?.length ?? 0, scores });
    this.#margins[layer]?.push(margins?.[row] ?? Number.NaN);
  }

  result(): RoutingCapture {
    const { nLayers, moe } = this.#config;
    const layers = Array.from({ length: nLayers - moe.firstDenseLayers }, (_, i) => moe.firstDenseLayers + i);
    const flat = (perLayer: readonly number[][]): number[] => layers.flatMap((layer) => perLayer[layer] ?? []);
    const nTokens = (this.#margins.at(-1) ?? []).length;
    return {
      layers,
      nTokens,
      nExpertsAct: moe.nExpertsAct,
      nExpertsTot: moe.nExpertsTot,
      topkIds: Uint16Array.from(flat(this.#topkIds)),
      topkWeights: Float32Array.from(flat(this.#topkWeights)),
      margins: Float32Array.from(flat(this.#margins)),
      close: this.#closeChoices(layers, nTokens),
    };
  }

  #closeChoices(layers: readonly number[], nTokens: number): CloseChoices {
    const { nExpertsTot, nGroup, topkGroup } = this.#config.moe;
    const all = layers.flatMap((layer, index) =>
      (this.#close[layer] ?? []).map(({ token, scores }) => ({ row: index * nTokens + token, scores })),
    );
    const flat = new Float32Array(all.length * nExpertsTot);
    for (const [at, { scores }] of all.entries()) flat.set(scores, at * nExpertsTot);
    const rows = Int32Array.from(all, ({ row }) => row);
    // Every router of this family has a correction bias.
    return { rows, scores: flat, rule: { nGroup, topkGroup, groupScore: "best two" } };
  }
}
