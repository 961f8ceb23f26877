import { sampleDeviation } from "./exact-match.ts";
import type { Interval } from "./interval.ts";
import { mcnemar } from "./mcnemar.ts";
import type { McNemar } from "./mcnemar.ts";
import { tangoInterval } from "./tango.ts";

/**
 * What the paired scores say about the difference fused - baseline (in exact match, -1 to 1). Wherever there is a doc,
 * there is Tango's 95 % interval, which keeps a width where the standard error would be 0.
 *
 * - `no docs`: nothing.
 * - `one doc`: too few for a standard error.
 * - `no discordant pairs`, `all discordant`: the docs all differ by the same amount, so the standard error would be 0,
 *   which would claim certainty. For no discordant pairs, `discordantBelow` is what can be said: the upper 95 % limit of
 *   the share of docs that differ (Clopper-Pearson for 0 of n, 1 - 0.05^(1/n), about 3/n).
 * - `estimated`: with the standard error of the per-doc differences (sample standard deviation over the root of n).
 */
export type DifferenceEstimate =
  | { readonly kind: "no docs" }
  | ({ readonly kind: "one doc"; readonly delta: number } & Interval)
  | ({ readonly kind: "no discordant pairs"; readonly delta: 0; readonly discordantBelow: number } & Interval)
  | ({ readonly kind: "all discordant"; readonly delta: 1 | -1 } & Interval)
  | ({ readonly kind: "estimated"; readonly delta: number; readonly standardError: number } & Interval);

/** Two variants' exact match on the same docs: the 2x2 counts (they add up to `n`), the difference and its test. */
export interface PairedDifference {
  readonly n: number;
  readonly bothRight: number;
  readonly onlyBaseline: number;
  readonly onlyFused: number;
  readonly bothWrong: number;
  readonly difference: DifferenceEstimate;
  readonly mcnemar: McNemar;
}

/**
 * The paired difference of two variants that were scored on the same docs in the same order. Pairing removes the spread
 * between easy and hard docs, so it resolves far smaller losses than two unpaired standard errors do.
 *
 * @throws RangeError when the lengths differ or a score is neither 0 nor 1.
 */
export function pairedDifference(baseline: ArrayLike<number>, fused: ArrayLike<number>): PairedDifference {
  const n = baseline.length;
  if (fused.length !== n)
    throw new RangeError(`${n} baseline scores but ${fused.length} fused ones: pair them doc by doc`);

  let bothRight = 0;
  let onlyBaseline = 0;
  let onlyFused = 0;
  let bothWrong = 0;
  const differences = new Int8Array(n);
  for (let index = 0; index < n; index++) {
    const a = zeroOrOne(baseline[index], index);
    const b = zeroOrOne(fused[index], index);
    differences[index] = b - a;
    if (a === 1 && b === 1) bothRight++;
    else if (a === 1) onlyBaseline++;
    else if (b === 1) onlyFused++;
    else bothWrong++;
  }
  return {
    n,
    bothRight,
    onlyBaseline,
    onlyFused,
    bothWrong,
    difference: estimate(differences, { onlyBaseline, onlyFused }),
    mcnemar: mcnemar({ onlyBaseline, onlyFused }),
  };
}

function estimate(
  differences: Int8Array,
  { onlyBaseline, onlyFused }: { readonly onlyBaseline: number; readonly onlyFused: number },
): DifferenceEstimate {
  const n = differences.length;
  const interval = tangoInterval({ n, onlyBaseline, onlyFused });
  if (interval === undefined) return { kind: "no docs" };
  const sum = onlyFused - onlyBaseline;
  const delta = sum / n;
  if (n === 1) return { kind: "one doc", delta, ...interval };
  if (onlyBaseline + onlyFused === 0) {
    return { kind: "no discordant pairs", delta: 0, discordantBelow: 1 - 0.05 ** (1 / n), ...interval };
  }
  if (Math.abs(sum) === n) return { kind: "all discordant", delta: sum > 0 ? 1 : -1, ...interval };
  const standardError = sampleDeviation(differences, delta) / Math.sqrt(n);
  return { kind: "estimated", delta, standardError, ...interval };
}

function zeroOrOne(score: number | undefined, index: number): 0 | 1 {
  if (score !== 0 && score !== 1) throw new RangeError(`score ${index} is ${score}, not 0 or 1`);
  return score;
}
