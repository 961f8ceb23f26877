/** What was counted of one MoE layer while it was compared. */
import { HistogramAccumulator } from "./difference-histogram.ts";
import type { DifferenceHistogram } from "./difference-histogram.ts";
import { DifferenceAccumulator } from "./difference.ts";
import { findId } from "./expert-sets.ts";
import type { CloseScores } from "./near-tie.ts";
import type { Cause } from "./position-tally.ts";
import { byteComparison } from "./same-bytes.ts";
import { NO_TIES } from "./tie-excess.ts";
import type { LayerParity } from "./routing-result.ts";

/** One layer of one variant; the rows of a block stand from row `from` (default 0) on. */
export interface LayerRows {
  /** [rows * k] */
  readonly ids: ArrayLike<number>;
  readonly weights?: ArrayLike<number> | undefined;
  /** [rows] */
  readonly margins?: ArrayLike<number> | undefined;
  /** By rows of the block. */
  readonly close?: CloseScores | undefined;
}

/** Beside `LayerParity`. */
export interface LayerDetail {
  readonly layer: number;
  /** Of both expert sets, summed over the tokens: intersection over union. */
  readonly jaccardSum: number;
  readonly jaccardMin: number;
  /** Weights of one expert that differ by more than the tolerance. */
  readonly weightsBeyond: number;
  readonly weights: DifferenceHistogram;
}

export class LayerTally {
  readonly #k: number;
  readonly #tolerance: number;
  readonly #weights: DifferenceAccumulator = new DifferenceAccumulator();
  readonly #histogram: HistogramAccumulator = new HistogramAccumulator();
  readonly #causes: Record<Cause, number> = { nearTies: 0, downstream: 0, unexplained: 0 };
  readonly #ties = { ...NO_TIES };
  #tokens = 0;
  #idsMismatched = 0;
  #reordered = 0;
  #notJudged = 0;
  #jaccardLost = 0;
  #jaccardMin = 1;
  #weightsBeyond = 0;
  #notFinite = 0;

  constructor({ k, weightTolerance = Infinity }: { readonly k: number; readonly weightTolerance?: number }) {
    this.#k = k;
    this.#tolerance = weightTolerance;
  }

  addTokens(tokens: number, notJudged: number): void {
    this.#tokens += tokens;
    this.#notJudged += notJudged;
  }

  /** Rows `from` up to, not including, `to`, which are judged. */
  addTies(a: ArrayLike<number>, b: ArrayLike<number>, from: number, to: number, tolerance: number): void {
    if (byteComparison(a, b).same(from, to)) {
      this.#ties.both += countAtMost(a, from, to, tolerance);
      return;
    }
    for (let row = from; row < to; row++) {
      // A NaN is no tie.
      const [ofA, ofB] = [a[row]! <= tolerance, b[row]! <= tolerance];
      if (ofA && ofB) this.#ties.both++;
      else if (ofA) this.#ties.onlyBaseline++;
      else if (ofB) this.#ties.onlyFused++;
    }
  }

  addReordered(): void {
    this.#reordered++;
  }

  addMismatch(swapped: number, cause: Cause): void {
    this.#causes[cause]++;
    this.#idsMismatched += swapped;
    const jaccard = (this.#k - swapped) / (this.#k + swapped);
    this.#jaccardLost += 1 - jaccard;
    this.#jaccardMin = Math.min(this.#jaccardMin, jaccard);
  }

  /** Rows whose weights are the same bits. */
  addEqualWeights(rows: number): void {
    this.#weights.addEqual(rows * this.#k);
    this.#histogram.addEqual(rows * this.#k);
  }

  /**
   * Compares the weights of a row by id.
   *
   * @param ordered - whether both have the same ids in the same order
   * @returns whether any differs by more than the tolerance, or is finite on one side only
   */
  addWeights(a: LayerRows, b: LayerRows, row: number, ordered: boolean): boolean {
    const [ofA, ofB] = [a.weights, b.weights];
    if (ofA === undefined || ofB === undefined) return false;
    const before = this.#weightsBeyond + this.#notFinite;
    const start = row * this.#k;
    for (let slot = start; slot < start + this.#k; slot++) {
      const other = ordered ? slot : findId(b.ids, a.ids[slot]!, start, this.#k);
      this.#addWeight(ofA[slot]!, ofB[other]!);
    }
    return this.#weightsBeyond + this.#notFinite > before;
  }

  #addWeight(a: number, b: number): void {
    this.#weights.add(a, b);
    const difference = a === b || Object.is(a, b) ? 0 : Math.abs(a - b);
    if (!Number.isFinite(difference)) {
      this.#notFinite++;
      return;
    }
    this.#histogram.add(difference);
    if (difference > this.#tolerance) this.#weightsBeyond++;
  }

  parity(layer: number): LayerParity {
    const { nearTies, downstream, unexplained } = this.#causes;
    return {
      layer,
      tokens: this.#tokens,
      entries: this.#tokens * this.#k,
      tokensNotJudged: this.#notJudged,
      tokensReordered: this.#reordered,
      tokensMismatched: nearTies + downstream + unexplained,
      nearTies,
      downstream,
      unexplained,
      idsMismatched: this.#idsMismatched,
      ties: { ...this.#ties },
      weights: this.#weights.result(),
    };
  }

  detail(layer: number): LayerDetail {
    return {
      layer,
      jaccardSum: this.#tokens - this.#jaccardLost,
      jaccardMin: this.#jaccardMin,
      weightsBeyond: this.#weightsBeyond,
      weights: this.#histogram.result(),
    };
  }
}

function countAtMost(values: ArrayLike<number>, from: number, to: number, most: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (values[at]! <= most) count++;
  return count;
}
