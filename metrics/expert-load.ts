/**
 * How many tokens each expert was given in each layer, per variant: what an expert-parallel engine waits for is its busiest
 * expert. Plain JSON of bounded size.
 */

/** One layer of one variant. */
export interface SideLoad {
  /** Tokens of the expert that was given most, and which that is (the lowest of several). */
  readonly most: number;
  readonly busiest: number;
  readonly least: number;
  /** Experts that were given no token at all. */
  readonly empty: number;
  /** `most` over the mean of all experts: 1 where the load is even. */
  readonly imbalance: number;
}

export interface LayerLoad {
  readonly layer: number;
  readonly baseline: SideLoad;
  readonly fused: SideLoad;
  /** The expert whose number of tokens changed most, fused - baseline; null where none did. */
  readonly change: { readonly expert: number; readonly tokens: number } | null;
}

export interface ExpertLoad {
  /** E */
  readonly nExpertsTot: number;
  readonly layers: readonly LayerLoad[];
  /** Tokens, [layer][expert]; null where these are more than `MAX_COUNTS`. */
  readonly counts: {
    readonly baseline: readonly (readonly number[])[];
    readonly fused: readonly (readonly number[])[];
  } | null;
}

/** Counts that are handed on per variant: more than any model has today (60 layers of 384 experts are 23,040). */
const MAX_COUNTS = 2 ** 16;
/** Counts that are kept at all, so that a hostile capture cannot ask for gigabytes of them. */
const MAX_COUNTED = 2 ** 20;

export interface LoadTallyOptions {
  /** Model layer numbers of the MoE layers, ascending. */
  readonly layers: readonly number[];
  readonly nExpertsTot: number;
}

export class LoadTally {
  readonly #options: LoadTallyOptions;
  /** [layers * E]; empty where there are too many to count. */
  readonly #baseline: Float64Array;
  readonly #fused: Float64Array;

  constructor(options: LoadTallyOptions) {
    this.#options = options;
    const cells = options.layers.length * options.nExpertsTot;
    const counted = cells <= MAX_COUNTED ? cells : 0;
    this.#baseline = new Float64Array(counted);
    this.#fused = new Float64Array(counted);
  }

  /** @param index - of the layer among the MoE layers */
  add(index: number, baseline: ArrayLike<number>, fused: ArrayLike<number>): void {
    this.#addSide(this.#baseline, index, baseline);
    this.#addSide(this.#fused, index, fused);
  }

  #addSide(counts: Float64Array, index: number, ids: ArrayLike<number>): void {
    const { nExpertsTot } = this.#options;
    // Within the layer alone, so that an id out of range is nobody's load: writes outside of a typed array do nothing.
    const own = counts.subarray(index * nExpertsTot, (index + 1) * nExpertsTot);
    for (let i = 0; i < ids.length; i++) own[ids[i]!]!++;
  }

  /** Null where the layers have too many experts to count. */
  result(): ExpertLoad | null {
    const { layers, nExpertsTot } = this.#options;
    if (this.#baseline.length === 0) return null;
    const rows = (counts: Float64Array): Float64Array[] =>
      layers.map((_, index) => counts.subarray(index * nExpertsTot, (index + 1) * nExpertsTot));
    const [baseline, fused] = [rows(this.#baseline), rows(this.#fused)];
    const few = layers.length * nExpertsTot <= MAX_COUNTS;
    return {
      nExpertsTot,
      layers: layers.map((layer, index) => ({
        layer,
        baseline: sideOf(baseline[index]!),
        fused: sideOf(fused[index]!),
        change: largestChange(baseline[index]!, fused[index]!),
      })),
      counts: few
        ? { baseline: baseline.map((row) => Array.from(row)), fused: fused.map((row) => Array.from(row)) }
        : null,
    };
  }
}

function sideOf(counts: Float64Array): SideLoad {
  const [most, least] = [Math.max(...counts), Math.min(...counts)];
  const sum = counts.reduce((total, count) => total + count, 0);
  const empty = counts.reduce((total, count) => total + (count === 0 ? 1 : 0), 0);
  return { most, busiest: counts.indexOf(most), least, empty, imbalance: sum === 0 ? 1 : (most * counts.length) / sum };
}

function largestChange(baseline: Float64Array, fused: Float64Array): LayerLoad["change"] {
  let change = { expert: 0, tokens: 0 };
  for (const [expert, count] of fused.entries()) {
    const tokens = count - baseline[expert]!;
    if (Math.abs(tokens) > Math.abs(change.tokens)) change = { expert, tokens };
  }
  return change.tokens === 0 ? null : change;
}
