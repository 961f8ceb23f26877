/**
 * Compares what two routers chose, a block of tokens at a time, so that captures of any length fit into memory. What an
 * earlier part of a doc explains in a later one is carried over; all that is needed for it is the lowest layer that
 * diverged so far.
 *
 * Most of two captures is equal bit by bit, and that is compared as memory.
 */
import { sameOrder, swappedIds } from "./expert-sets.ts";
import { LayerTally } from "./layer-tally.ts";
import type { LayerDetail, LayerRows } from "./layer-tally.ts";
import { mayBeChosen } from "./near-tie.ts";
import { PositionTally } from "./position-tally.ts";
import type { Cause, PositionBucket } from "./position-tally.ts";
import { earlier, placeOrder } from "./routing-result.ts";
import type { RoutingObserver } from "./routing-picture.ts";
import type { Divergence, RoutingParity } from "./routing-result.ts";
import { byteComparison } from "./same-bytes.ts";
import type { ByteComparison } from "./same-bytes.ts";

/** Tokens of one doc that stand together in a block. */
export interface TokenRun {
  readonly docId: number;
  /** In the block: from `start` up to, not including, `end`. */
  readonly start: number;
  readonly end: number;
  /** Of its first token in the doc. */
  readonly position: number;
  /** False where it goes on with the doc that the block before ended in. */
  readonly begins: boolean;
}

export interface RoutingComparisonOptions {
  /** Model layer numbers of the MoE layers, ascending. */
  readonly layers: readonly number[];
  /** Experts per token. */
  readonly k: number;
  /** Margins up to this are ties within rounding. */
  readonly nearTieMargin: number;
  /** Whether both captures have margins. */
  readonly marginsKnown: boolean;
  /** Weights of one expert that differ by more are counted apart. Default: none does. */
  readonly weightTolerance?: number;
  /** Is told of all that is compared. Default: none. */
  readonly observer?: RoutingObserver | undefined;
}

/** More than `RoutingParity` says. */
export interface RoutingDetail {
  readonly layers: readonly LayerDetail[];
  readonly positions: readonly PositionBucket[];
  /** The first weight beyond the tolerance. */
  readonly firstWeightBeyond: Divergence | null;
  /** The first mismatches that nothing explains. */
  readonly examples: readonly RoutingExample[];
}

/** A mismatch as it stands in both captures. */
export interface RoutingExample extends Divergence {
  readonly baseline: ExampleRow;
  readonly fused: ExampleRow;
}

export interface ExampleRow {
  readonly ids: readonly number[];
  readonly weights: readonly number[] | null;
  /** Null where there is none, or none that is finite. */
  readonly margin: number | null;
}

/** Mismatches that are kept with their ids and weights. */
const EXAMPLES = 10;

/** Rows that are looked at one by one where they are not equal as memory: few, as one row spoils them all. */
const STRETCH_ROWS = 64;

interface OpenRun extends TokenRun {
  /** The lowest layer (index) that diverged in earlier blocks of the doc. */
  readonly carried: number;
  /** The same, with this block. */
  lowest: number;
  /** Tokens from here on are downstream of what a lower layer did in this block. */
  judgedUpTo: number;
}

/** One layer of a block in both captures. */
interface Both {
  readonly index: number;
  readonly tally: LayerTally;
  readonly a: LayerRows;
  readonly b: LayerRows;
  readonly ids: ByteComparison;
  readonly weights: ByteComparison | undefined;
}

export class RoutingComparison {
  readonly #options: RoutingComparisonOptions;
  readonly #layers: readonly LayerTally[];
  readonly #positions: PositionTally = new PositionTally();
  #docs = 0;
  #tokens = 0;
  #tokensAffected = 0;
  #firstDivergence: Divergence | null = null;
  #firstUnexplained: Divergence | null = null;
  #firstWeightBeyond: Divergence | null = null;
  #examples: RoutingExample[] = [];
  #runs: readonly OpenRun[] = [];
  #affected: Uint8Array = new Uint8Array(0);

  constructor(options: RoutingComparisonOptions) {
    this.#options = options;
    this.#layers = options.layers.map(() => new LayerTally(options));
  }

  /**
   * Begins a block of tokens; `compareLayer` follows for each layer, then `endBlock`.
   *
   * @param runs - in the order of the tokens, without gaps; those of one doc in the order of its positions
   */
  beginBlock(runs: readonly TokenRun[]): void {
    const before = this.#runs.at(-1)?.lowest ?? Infinity;
    this.#runs = runs.map((run) => {
      const carried = run.begins ? Infinity : before;
      return { ...run, carried, lowest: carried, judgedUpTo: run.end };
    });
    const nTokens = runs.at(-1)?.end ?? 0;
    this.#affected = new Uint8Array(nTokens);
    this.#tokens += nTokens;
    for (const { begins, position, start, end } of runs) {
      if (begins) this.#docs++;
      this.#positions.addTokens(position, end - start);
    }
  }

  /** @param index - of the layer among the MoE layers: from 0 on, none left out */
  compareLayer(index: number, a: LayerRows, b: LayerRows): void {
    const tally = this.#layers[index] as LayerTally;
    const ids = byteComparison(a.ids, b.ids);
    const [ofA, ofB] = [a.weights, b.weights];
    const weights = ofA === undefined || ofB === undefined ? undefined : byteComparison(ofA, ofB);
    const both = { index, tally, a, b, ids, weights };
    this.#options.observer?.layer(index, a, b);
    for (const run of this.#runs) this.#compareRun(run, both);
  }

  endBlock(): void {
    for (const token of this.#affected) this.#tokensAffected += token;
  }

  parity(): RoutingParity {
    const { layers, marginsKnown } = this.#options;
    return {
      docs: this.#docs,
      tokens: this.#tokens,
      tokensAffected: this.#tokensAffected,
      marginsKnown,
      layers: layers.map((layer, index) => (this.#layers[index] as LayerTally).parity(layer)),
      firstDivergence: this.#firstDivergence,
      firstUnexplained: this.#firstUnexplained,
    };
  }

  detail(): RoutingDetail {
    const { layers } = this.#options;
    return {
      layers: layers.map((layer, index) => (this.#layers[index] as LayerTally).detail(layer)),
      positions: this.#positions.result(layers.length),
      firstWeightBeyond: this.#firstWeightBeyond,
      examples: this.#examples,
    };
  }

  #compareRun(run: OpenRun, both: Both): void {
    const { index, tally, ids, weights } = both;
    const { k, nearTieMargin } = this.#options;
    const judgedUpTo = run.carried < index ? run.start : run.judgedUpTo;
    tally.addTokens(run.end - run.start, run.end - judgedUpTo);
    const [ofA, ofB] = [both.a.margins, both.b.margins];
    if (ofA !== undefined && ofB !== undefined) tally.addTies(ofA, ofB, run.start, judgedUpTo, nearTieMargin);
    let first = run.end;
    // The whole run at once first: most runs are equal.
    for (let from = run.start, step = run.end - run.start; from < run.end;) {
      const to = Math.min(from + step, run.end);
      const judged = Math.max(from, Math.min(to, judgedUpTo));
      if (ids.same(from * k, to * k)) {
        if (weights?.same(from * k, judged * k) === true) tally.addEqualWeights(judged - from);
        else if (weights !== undefined) this.#compareWeights(run, both, from, judged);
      } else if (step > STRETCH_ROWS) {
        step = STRETCH_ROWS;
        continue;
      } else first = Math.min(first, this.#compareRows(run, both, { from, to, judgedUpTo }));
      from = to;
    }
    if (first === run.end) return;
    run.judgedUpTo = Math.min(run.judgedUpTo, first);
    run.lowest = Math.min(run.lowest, index);
    this.#firstDivergence = earlier(this.#firstDivergence, this.#place(run, both, first));
  }

  /** Weights of rows whose ids are the same in the same order. */
  #compareWeights(run: OpenRun, both: Both, from: number, to: number): void {
    for (let row = from; row < to; row++) {
      if (both.tally.addWeights(both.a, both.b, row, true)) this.#noteWeight(run, both, row);
    }
  }

  /** @returns the first row whose set differs; Infinity where none does */
  #compareRows(
    run: OpenRun,
    both: Both,
    { from, to, judgedUpTo }: { readonly from: number; readonly to: number; readonly judgedUpTo: number },
  ): number {
    const { k } = this.#options;
    const { a, b, tally } = both;
    let first = Infinity;
    for (let row = from; row < to; row++) {
      const ordered = sameOrder(a.ids, b.ids, row * k, k);
      const swapped = ordered ? 0 : swappedIds(a.ids, b.ids, row * k, k);
      if (swapped > 0) {
        first = Math.min(first, row);
        this.#affected[row] = 1;
        const cause = row >= judgedUpTo ? "downstream" : this.#causeOf(both, row, swapped);
        tally.addMismatch(swapped, cause);
        this.#positions.addMismatch(run.position + row - run.start, cause);
        if (cause === "unexplained") this.#noteUnexplained(run, both, row);
        this.#options.observer?.differs({ ...this.#place(run, both, row), cause, swapped, a, b, row });
        continue;
      }
      if (!ordered) tally.addReordered();
      if (row < judgedUpTo && tally.addWeights(a, b, row, ordered)) this.#noteWeight(run, both, row);
    }
    return first;
  }

  #causeOf({ a, b }: Both, row: number, swapped: number): Cause {
    const { nearTieMargin: tolerance, k } = this.#options;
    const isClose = ({ margins }: LayerRows): boolean => (margins?.[row] ?? Infinity) <= tolerance;
    // A NaN margin is no tie.
    if (!isClose(a) || !isClose(b)) return "unexplained";
    /** What the scores of one side say of the other's experts; undefined where they are not known. */
    const verdict = ({ close }: LayerRows, { ids }: LayerRows): boolean | undefined => {
      const scores = close?.of(row);
      return scores && close && mayBeChosen(scores, close.rule, { ids, start: row * k, k, tolerance });
    };
    const verdicts = [verdict(a, b), verdict(b, a)];
    // Without scores, margins vouch for the two experts next to the cut, and for no more than these.
    const known = verdicts.some((each) => each !== undefined);
    return (known ? !verdicts.includes(false) : swapped === 1) ? "nearTies" : "unexplained";
  }

  #noteUnexplained(run: OpenRun, both: Both, row: number): void {
    const at = this.#place(run, both, row);
    this.#firstUnexplained = earlier(this.#firstUnexplained, at);
    const last = this.#examples.at(-1);
    if (this.#examples.length >= EXAMPLES && last !== undefined && placeOrder(last, at) < 0) return;
    const example = { ...at, baseline: this.#exampleRow(both.a, row), fused: this.#exampleRow(both.b, row) };
    this.#examples = [...this.#examples, example].toSorted(placeOrder).slice(0, EXAMPLES);
  }

  #exampleRow({ ids, weights, margins }: LayerRows, row: number): ExampleRow {
    const { k } = this.#options;
    const margin = margins?.[row] ?? NaN;
    const slots = Array.from({ length: k }, (_, slot) => row * k + slot);
    return {
      ids: slots.map((slot) => ids[slot]!),
      weights: weights === undefined ? null : slots.map((slot) => weights[slot]!),
      margin: Number.isFinite(margin) ? margin : null,
    };
  }

  #noteWeight(run: OpenRun, both: Both, row: number): void {
    const at = this.#place(run, both, row);
    this.#firstWeightBeyond = earlier(this.#firstWeightBeyond, at);
    this.#options.observer?.differs({ ...at, cause: "weights", swapped: 0, a: both.a, b: both.b, row });
  }

  #place(run: OpenRun, { index }: Both, row: number): Divergence {
    return { doc_id: run.docId, position: run.position + row - run.start, layer: this.#options.layers[index]! };
  }
}
