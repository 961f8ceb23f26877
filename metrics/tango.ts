/**
 * Tango's score test and interval for the difference of two paired proportions (Tango, Statistics in Medicine 17,
 * 891-908, 1998), the usual method where non-inferiority of paired yes-or-no outcomes is to be shown. The variance is
 * estimated under the difference that is tested, so it does not become 0 where few pairs differ, or none.
 */
import { criticalValue, ONE_SIDED_LEVEL } from "./interval.ts";
import type { Interval } from "./interval.ts";

/** Of `n` pairs, how many only the baseline had right and how many only fused had; the others agree. */
export interface DiscordantPairs {
  readonly n: number;
  readonly onlyBaseline: number;
  readonly onlyFused: number;
}

/**
 * How many standard errors the observed difference fused - baseline lies above `delta` (in -1 to 1), with the errors
 * that there would be if `delta` were the truth. At 0 it is McNemar's z. 0 where there is nothing to tell from: no
 * docs, or no discordant ones and delta 0. Infinite where `delta` cannot be the truth.
 */
export function scoreStatistic({ n, onlyBaseline, onlyFused }: DiscordantPairs, delta: number): number {
  const distance = onlyFused - onlyBaseline - n * delta;
  if (distance === 0) return 0;
  return distance / Math.sqrt(n * (2 * lossShare({ n, onlyBaseline, onlyFused }, delta) + delta * (1 - delta)));
}

/** The most likely share of pairs that only the baseline has right, were `delta` the truth. */
function lossShare({ n, onlyBaseline, onlyFused }: DiscordantPairs, delta: number): number {
  const a = 2 * n;
  const b = -onlyFused - onlyBaseline + (2 * n - onlyFused + onlyBaseline) * delta;
  const c = -onlyBaseline * delta * (1 - delta);
  const root = Math.sqrt(Math.max(0, b * b - 4 * a * c));
  // The larger root, in the form that does not subtract nearly equal numbers.
  const share = b > 0 ? (-2 * c) / (b + root) : (root - b) / (2 * a);
  // A share cannot be negative, and neither can the other one, which is larger by delta.
  return Math.max(0, -delta, share);
}

/** Halvings until an interval's end is exact to the last bits of a double. */
const HALVINGS = 60;

/**
 * The differences (fused - baseline, -1 to 1) that the score test does not reject.
 *
 * @param level - of one side; 0.025 makes a 95 % interval
 * @returns undefined of no docs
 */
export function tangoInterval(pairs: DiscordantPairs, level: number = ONE_SIDED_LEVEL): Interval | undefined {
  const { n, onlyBaseline, onlyFused } = pairs;
  if (n === 0) return undefined;
  const z = criticalValue(level);
  const delta = (onlyFused - onlyBaseline) / n;
  return {
    low: edge(delta, -1, (at) => scoreStatistic(pairs, at) > z),
    high: edge(delta, 1, (at) => scoreStatistic(pairs, at) < -z),
  };
}

/** Where, going from `inside` to `end`, `rejected` becomes true; `end` itself where it never does. */
function edge(inside: number, end: number, rejected: (delta: number) => boolean): number {
  if (inside === end || !rejected(end)) return end;
  let [near, far] = [inside, end];
  for (let step = 0; step < HALVINGS; step++) {
    const middle = (near + far) / 2;
    if (rejected(middle)) far = middle;
    else near = middle;
  }
  return (near + far) / 2;
}
