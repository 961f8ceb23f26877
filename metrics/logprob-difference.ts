import { DifferenceAccumulator, mergeDifferences, NO_DIFFERENCES, type DifferenceSum } from "./difference.ts";

/** How far two variants' log-probabilities of the same tokens lie apart (natural logarithm). Plain JSON; merges. */
export interface LogprobDifference extends DifferenceSum {
  readonly docs: number;
}

/** The difference over no docs: the start of every merge. */
export const NO_LOGPROBS: LogprobDifference = { docs: 0, ...NO_DIFFERENCES };

/**
 * Compares the log-probabilities that two variants gave to the same tokens of one doc.
 *
 * @throws RangeError when the lengths differ.
 */
export function compareLogprobs(
  docId: number,
  baseline: ArrayLike<number>,
  fused: ArrayLike<number>,
): LogprobDifference {
  if (baseline.length !== fused.length) {
    throw new RangeError(`doc ${docId}: ${baseline.length} baseline log-probabilities but ${fused.length} fused ones`);
  }
  const differences = new DifferenceAccumulator();
  for (let index = 0; index < baseline.length; index++) differences.add(baseline[index]!, fused[index]!);
  return { docs: 1, ...differences.result() };
}

/** The difference over the docs of both parts. */
export function mergeLogprobs(a: LogprobDifference, b: LogprobDifference): LogprobDifference {
  return { docs: a.docs + b.docs, ...mergeDifferences(a, b) };
}
