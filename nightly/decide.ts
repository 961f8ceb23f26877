/**
 * Is fused no more than a margin worse than the baseline? By one look, or by several.
 *
 * A row that is asked again because it was inconclusive gets more than one chance to be wrong. So the level of 2.5 % is
 * divided by the number of looks that were planned, before the first one: each look's interval has that share, and
 * whatever the looks have in common (they ask the same docs), no decision is wrong more often than 2.5 % (Bonferroni). The
 * first look decides as a run's own verdict does (metrics/decide.ts). Each later one takes all runs so far: a doc's
 * difference is the mean of its differences, and docs are what varies. A regression is then called by the exact sign test
 * on these, the margin is judged by their normal interval.
 */
import { fairCoinTail } from "../metrics/binomial.ts";
import { decide as decidePairs } from "../metrics/decide.ts";
import { criticalValue, ONE_SIDED_LEVEL } from "../metrics/interval.ts";
import { tangoInterval } from "../metrics/tango.ts";
import type { Comparison } from "../reports/comparison.ts";

export type Decision = "within the margin" | "regressed" | "inconclusive";

/** Differences fused - baseline, as shares. */
export interface FilterDecision {
  readonly filter: string;
  readonly decision: Decision;
  /** Docs that both variants answered in every run. */
  readonly n: number;
  readonly runs: number;
  readonly delta: number;
  readonly low: number;
  readonly high: number;
}

export interface DecideOptions {
  /** As a share. */
  readonly margin: number;
  /** Runs that were planned at most, this one included. */
  readonly looks: number;
}

export type Look = Pick<Comparison, "paired" | "flips">;

/** @param runs - of the same docs, under other seeds; the first is the night's own */
export function decide(runs: readonly [Look, ...Look[]], options: DecideOptions): readonly FilterDecision[] {
  return runs[0].paired.map(({ filter }) => decideFilter(filter, runs, options));
}

/** All filters together: one that regressed is enough, and all must lie within the margin. */
export function worst(decisions: readonly FilterDecision[]): Decision {
  const has = (wanted: Decision): boolean => decisions.some(({ decision }) => decision === wanted);
  if (has("regressed")) return "regressed";
  return has("inconclusive") || decisions.length === 0 ? "inconclusive" : "within the margin";
}

function decideFilter(filter: string, runs: readonly Look[], { margin, looks }: DecideOptions): FilterDecision {
  const n = Math.min(...runs.map(({ paired }) => paired.find((each) => each.filter === filter)?.n ?? 0));
  const alpha = ONE_SIDED_LEVEL / looks;
  if (runs.length === 1) return decideOne(filter, runs[0] as Look, margin, alpha);
  const differences = differencesByDoc(filter, runs);
  const { delta, low, high } = interval(differences, n, alpha);
  // Not by the interval, which is too narrow where few docs differ.
  const losses = differences.filter((difference) => difference < 0).length;
  const wins = differences.filter((difference) => difference > 0).length;
  const decision =
    fairCoinTail(losses, losses + wins) <= alpha ? "regressed" : low > -margin ? "within the margin" : "inconclusive";
  return { filter, decision, n, runs: runs.length, delta, low, high };
}

/** As the run's own verdict is taken, at the level of one look. */
function decideOne(filter: string, { paired }: Look, margin: number, level: number): FilterDecision {
  const pair = paired.find((each) => each.filter === filter);
  const { n, onlyBaseline, onlyFused } = pair ?? { n: 0, onlyBaseline: 0, onlyFused: 0 };
  const pairs = { n, onlyBaseline, onlyFused };
  const { low, high } = tangoInterval(pairs, level) ?? { low: -1, high: 1 };
  const found = decidePairs(pairs, { margin, level });
  const decision = found === "regressed" ? found : low > -margin ? "within the margin" : "inconclusive";
  return { filter, decision, n, runs: 1, delta: n === 0 ? 0 : (onlyFused - onlyBaseline) / n, low, high };
}

/** Of the docs that are not 0. */
function differencesByDoc(filter: string, runs: readonly Look[]): readonly number[] {
  const sums = new Map<number, number>();
  for (const { flips } of runs) {
    for (const flip of flips.filter((each) => each.filter === filter)) {
      const difference = flip.fused.exact_match - flip.baseline.exact_match;
      sums.set(flip.doc_id, (sums.get(flip.doc_id) ?? 0) + difference / runs.length);
    }
  }
  return [...sums.values()];
}

function interval(
  differences: readonly number[],
  n: number,
  alpha: number,
): { readonly delta: number; readonly low: number; readonly high: number } {
  if (n < 2) return { delta: 0, low: -1, high: 1 };
  const delta = differences.reduce((sum, each) => sum + each, 0) / n;
  // The docs without a difference are 0 away from 0.
  const squares = differences.reduce((sum, each) => sum + each * each, 0) - n * delta * delta;
  const half = criticalValue(alpha) * Math.sqrt(Math.max(0, squares) / (n - 1) / n);
  // Docs that all do the same have no spread to go by; what may still differ is the upper limit of 0 in n.
  const unseen = 1 - alpha ** (1 / n);
  const width = Math.max(half, differences.length === 0 || squares <= 0 ? unseen : 0);
  return { delta, low: Math.max(-1, delta - width), high: Math.min(1, delta + width) };
}
