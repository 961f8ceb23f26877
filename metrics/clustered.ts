/** Means over docs that were asked several times: the answers of one doc are alike, so they are not so many docs. */
import type { MeanEstimate } from "./exact-match.ts";
import { sampleDeviation } from "./exact-match.ts";

/** `docs` clusters with `answers` scores in all, the denominator of the mean. */
export interface ClusteredMean {
  readonly docs: number;
  readonly answers: number;
  readonly estimate: MeanEstimate;
}

/**
 * Mean of all scores with its standard error clustered by doc (Liang and Zeger 1986; Miller 2024 for evaluations), with
 * the usual correction of docs / (docs - 1). With one answer per doc it is lm-eval's standard error; answers that are
 * the same in every repeat leave it as it is, however many there are.
 *
 * @param scores - per doc, its repeats; docs without any are left out
 * @throws RangeError when a score is not finite
 */
export function clusteredMean(scores: readonly ArrayLike<number>[]): ClusteredMean {
  const clusters = scores.filter(({ length }) => length > 0).map((of) => ({ sum: sumOf(of), answers: of.length }));
  const docs = clusters.length;
  const answers = clusters.reduce((total, cluster) => total + cluster.answers, 0);
  if (docs === 0) return { docs, answers, estimate: { kind: "no docs" } };
  const mean = clusters.reduce((total, { sum }) => total + sum, 0) / answers;
  if (docs === 1) return { docs, answers, estimate: { kind: "one doc", mean } };
  const squares = clusters.reduce((total, cluster) => total + (cluster.sum - cluster.answers * mean) ** 2, 0);
  const standardError = Math.sqrt((squares * docs) / (docs - 1)) / answers;
  return { docs, answers, estimate: { kind: "estimated", mean, standardError } };
}

/**
 * The difference fused - baseline of docs that were asked several times, each doc by the difference of its two means and
 * each with the same weight; the standard error is that of the docs' differences. Docs without an answer of either
 * variant are left out.
 *
 * @throws RangeError when the lists are not of the same docs
 */
export function clusteredDifference(
  baseline: readonly ArrayLike<number>[],
  fused: readonly ArrayLike<number>[],
): ClusteredMean {
  if (baseline.length !== fused.length) {
    throw new RangeError(`${baseline.length} baseline docs but ${fused.length} fused ones: pair them doc by doc`);
  }
  const differences: number[] = [];
  let answers = 0;
  for (const [doc, ofBaseline] of baseline.entries()) {
    const ofFused = fused[doc]!;
    if (ofBaseline.length === 0 || ofFused.length === 0) continue;
    differences.push(sumOf(ofFused) / ofFused.length - sumOf(ofBaseline) / ofBaseline.length);
    answers += ofBaseline.length + ofFused.length;
  }
  const docs = differences.length;
  if (docs === 0) return { docs, answers, estimate: { kind: "no docs" } };
  const mean = sumOf(differences) / docs;
  if (docs === 1) return { docs, answers, estimate: { kind: "one doc", mean } };
  const standardError = sampleDeviation(differences, mean) / Math.sqrt(docs);
  return { docs, answers, estimate: { kind: "estimated", mean, standardError } };
}

function sumOf(scores: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index]!;
    if (!Number.isFinite(score)) throw new RangeError(`a score is ${score}`);
    sum += score;
  }
  return sum;
}
