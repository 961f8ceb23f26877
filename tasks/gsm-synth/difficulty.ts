/**
 * How hard the problems are. This table is the one place to turn: shift the `share` numbers (they need not sum to 1)
 * towards level 1 and towards few steps for an easier task, the other way for a harder one. Any change makes other
 * problems from the same seed, so it needs a new `GSM_SYNTH_VERSION` once a version has been published.
 */
export const LEVELS: Readonly<Record<number, Level>> = {
  1: { share: 0.2, amounts: 1, rates: 1, distractor: 0.2 },
  2: { share: 0.3, amounts: 2, rates: 1.5, distractor: 0.3 },
  3: { share: 0.3, amounts: 4, rates: 2, distractor: 0.4 },
  4: { share: 0.2, amounts: 8, rates: 3, distractor: 0.5 },
};

export interface Level {
  /** Relative frequency of the level in the mixture. */
  readonly share: number;
  /** Factor on the upper end of a range of counts, distances and sums of money. */
  readonly amounts: number;
  /** Factor on the upper end of a range of prices, speeds and things per box, which stay plausible less far. */
  readonly rates: number;
  /** Probability that a problem carries a fact which nobody needs. */
  readonly distractor: number;
}

/** Relative frequency of each number of calculator marks. */
export const STEP_SHARES: Readonly<Record<number, number>> = { 2: 0.1, 3: 0.25, 4: 0.3, 5: 0.2, 6: 0.15 };

/** Probability that facts which may stand anywhere are moved away from the place where they are used first. */
export const SHUFFLED_FACTS = 0.5;

/** A step whose result is larger is no longer grade-school arithmetic; the problem is redrawn. */
export const LARGEST_RESULT = 99_999;
