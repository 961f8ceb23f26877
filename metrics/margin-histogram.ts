/**
 * How close the routers' choices were, and which of them came out otherwise: choices (a token in a layer) by their router
 * margin, in bins of a quarter of a factor of ten. Plain JSON of bounded size, whatever was compared.
 */
import type { Cause } from "./position-tally.ts";

/** Choices, and those of them that went to other experts, by cause. */
export interface MarginCounts extends Readonly<Record<Cause, number>> {
  readonly choices: number;
}

/** Margins from `from` up to, not including, `to`. */
export interface MarginBin extends MarginCounts {
  readonly from: number;
  readonly to: number;
}

export interface MarginHistogram {
  /** Ascending; empty ones left out. */
  readonly bins: readonly MarginBin[];
  /** Exact ties: margins of 0, which a logarithmic axis has no place for. */
  readonly zero: MarginCounts;
  /** Margins below 0, infinite (no expert was left out) or not a number. */
  readonly other: MarginCounts;
}

const PER_DECADE = 4;
/** Margins beyond are counted in the outermost bins: no dtype of the field has smaller ones that are not 0. */
const [LOWEST, HIGHEST] = [-45 * PER_DECADE, 40 * PER_DECADE];
const BINS = HIGHEST - LOWEST;
const [ZERO, OTHER] = [BINS, BINS + 1];

const CAUSES = ["nearTies", "downstream", "unexplained"] as const satisfies readonly Cause[];

export class MarginTally {
  // Float64: a count may exceed 2^32.
  readonly #choices: Float64Array = new Float64Array(BINS + 2);
  readonly #causes: Readonly<Record<Cause, Float64Array>> = {
    nearTies: new Float64Array(BINS + 2),
    downstream: new Float64Array(BINS + 2),
    unexplained: new Float64Array(BINS + 2),
  };

  addChoices(margins: ArrayLike<number>): void {
    for (let i = 0; i < margins.length; i++) this.#choices[slotOf(margins[i]!)]!++;
  }

  /** One of the choices that were added went to other experts. */
  addMismatch(margin: number, cause: Cause): void {
    this.#causes[cause][slotOf(margin)]!++;
  }

  result(): MarginHistogram {
    const bins: MarginBin[] = [];
    for (let slot = 0; slot < BINS; slot++) {
      const counts = this.#counts(slot);
      if (counts.choices > 0) bins.push({ from: edge(slot), to: edge(slot + 1), ...counts });
    }
    return { bins, zero: this.#counts(ZERO), other: this.#counts(OTHER) };
  }

  #counts(slot: number): MarginCounts {
    const [nearTies, downstream, unexplained] = CAUSES.map((cause) => this.#causes[cause][slot]!);
    return { choices: this.#choices[slot]!, nearTies: nearTies!, downstream: downstream!, unexplained: unexplained! };
  }
}

function slotOf(margin: number): number {
  if (margin === 0) return ZERO;
  if (!(margin > 0 && margin < Infinity)) return OTHER;
  const bin = Math.floor(PER_DECADE * Math.log10(margin));
  return Math.min(Math.max(bin, LOWEST), HIGHEST - 1) - LOWEST;
}

/** Three digits: 1, 1.78, 3.16, 5.62, 10. */
function edge(slot: number): number {
  return Number((10 ** ((slot + LOWEST) / PER_DECADE)).toPrecision(3));
}
