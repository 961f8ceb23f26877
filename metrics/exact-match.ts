/**
 * A mean of per-doc scores with as much uncertainty as the number of docs allows: nothing from no docs, a mean alone from
 * one, a mean with a standard error from two on.
 */
export type MeanEstimate =
  | { readonly kind: "no docs" }
  | { readonly kind: "one doc"; readonly mean: number }
  | { readonly kind: "estimated"; readonly mean: number; readonly standardError: number };

/** Exact match over the docs that were scored; `n` is the denominator of everything here. */
export interface ExactMatchSummary {
  readonly n: number;
  readonly correct: number;
  readonly estimate: MeanEstimate;
}

/**
 * Mean and standard error of 0/1 scores: sample standard deviation (n - 1) over the square root of n, as lm-eval has it.
 * Summed in the order given, in lm-eval's order of operations, so that every bit of the result equals lm-eval's.
 *
 * @throws RangeError when a score is neither 0 nor 1.
 */
export function exactMatch(scores: ArrayLike<number>): ExactMatchSummary {
  const n = scores.length;
  let correct = 0;
  for (let index = 0; index < n; index++) {
    const score = scores[index];
    if (score !== 0 && score !== 1) throw new RangeError(`score ${index} is ${score}, not 0 or 1`);
    correct += score;
  }
  return { n, correct, estimate: estimateMean(scores, correct) };
}

function estimateMean(scores: ArrayLike<number>, sum: number): MeanEstimate {
  const n = scores.length;
  if (n === 0) return { kind: "no docs" };
  const mean = sum / n;
  if (n === 1) return { kind: "one doc", mean };
  return { kind: "estimated", mean, standardError: sampleDeviation(scores, mean) / Math.sqrt(n) };
}

/** Sample standard deviation (n - 1) about a known mean; needs at least two values. */
export function sampleDeviation(values: ArrayLike<number>, mean: number): number {
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += (values[index]! - mean) ** 2;
  return Math.sqrt(squares / (values.length - 1));
}
