import { normalQuantile } from "./normal.ts";

/** A confidence interval; both ends belong to it. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** One side of a two-sided 95 % interval: the level of every decision here unless another is asked for. */
export const ONE_SIDED_LEVEL: number = 0.025;

/**
 * How many standard errors leave the share `level` on one side: 1.96 of 0.025.
 *
 * @throws RangeError where the level is not in (0, 0.5)
 */
export function criticalValue(level: number): number {
  if (!(level > 0 && level < 0.5)) throw new RangeError(`a one-sided level is ${level}, not between 0 and 0.5`);
  return level === ONE_SIDED_LEVEL ? Z_95 : -normalQuantile(level);
}

/** scipy.stats.norm.ppf(0.975) */
const Z_95 = 1.959963984540054;
