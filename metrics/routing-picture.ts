/** What is shown of two variants' routing beyond how much of it differs: margins, load, the worst tokens. */
import { LoadTally } from "./expert-load.ts";
import type { ExpertLoad } from "./expert-load.ts";
import type { LayerRows } from "./layer-tally.ts";
import { MarginTally } from "./margin-histogram.ts";
import type { MarginHistogram } from "./margin-histogram.ts";
import { WorstTokens } from "./worst-tokens.ts";
import type { DifferingChoice, WorstToken } from "./worst-tokens.ts";

/** Told of all that is compared, block by block. */
export interface RoutingObserver {
  /** A block's rows of one layer; those of them that differ follow. */
  layer(index: number, a: LayerRows, b: LayerRows): void;
  differs(choice: DifferingChoice): void;
}

export interface RoutingPicture {
  readonly nearTieMargin: number;
  readonly weightTolerance: number;
  /** Of the baseline's margins; null where it has none. */
  readonly margins: MarginHistogram | null;
  /** Null where there are too many experts to count. */
  readonly load: ExpertLoad | null;
  /** Worst first, ten at most. */
  readonly worst: readonly WorstToken[];
}

export interface PictureOptions {
  /** Model layer numbers of the MoE layers, ascending. */
  readonly layers: readonly number[];
  /** Experts per token. */
  readonly k: number;
  /** E */
  readonly nExpertsTot: number;
  readonly nearTieMargin: number;
  readonly weightTolerance: number;
}

/** Its memory does not grow with what it is told of. */
export class PictureTally implements RoutingObserver {
  readonly #options: PictureOptions;
  readonly #margins: MarginTally = new MarginTally();
  readonly #load: LoadTally;
  readonly #worst: WorstTokens;
  #marginsKnown = false;

  constructor(options: PictureOptions) {
    this.#options = options;
    this.#load = new LoadTally(options);
    this.#worst = new WorstTokens(options.k);
  }

  layer(index: number, a: LayerRows, b: LayerRows): void {
    this.#load.add(index, a.ids, b.ids);
    if (a.margins === undefined) return;
    this.#marginsKnown = true;
    this.#margins.addChoices(a.margins);
  }

  differs(choice: DifferingChoice): void {
    const { a, row, cause } = choice;
    const margin = a.margins?.[row];
    if (cause !== "weights" && margin !== undefined) this.#margins.addMismatch(margin, cause);
    this.#worst.add(choice);
  }

  result(): RoutingPicture {
    const { nearTieMargin, weightTolerance } = this.#options;
    return {
      nearTieMargin,
      weightTolerance,
      margins: this.#marginsKnown ? this.#margins.result() : null,
      load: this.#load.result(),
      worst: this.#worst.result(),
    };
  }
}
