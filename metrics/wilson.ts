import { criticalValue, ONE_SIDED_LEVEL } from "./interval.ts";
import type { Interval } from "./interval.ts";

/**
 * Wilson's score interval for the share of docs that are right (Wilson 1927): unlike mean -+ 1.96 standard errors it
 * stays within [0, 1] and keeps a width where all are right or all wrong.
 *
 * @param level - of one side; 0.025 makes a 95 % interval
 * @returns undefined of no docs, of which nothing can be said
 * @throws RangeError when the counts are no counts
 */
export function wilsonInterval(correct: number, n: number, level: number = ONE_SIDED_LEVEL): Interval | undefined {
  if (!Number.isInteger(correct) || !Number.isInteger(n) || correct < 0 || correct > n) {
    throw new RangeError(`${correct} of ${n} docs cannot be right`);
  }
  if (n === 0) return undefined;
  const z2 = criticalValue(level) ** 2;
  const wrong = n - correct;
  const half = Math.sqrt(z2 * ((correct * wrong) / n + z2 / 4));
  // Rounding must not take what is exactly 0 or 1 away from it.
  return {
    low: correct === 0 ? 0 : (correct + z2 / 2 - half) / (n + z2),
    high: wrong === 0 ? 1 : (correct + z2 / 2 + half) / (n + z2),
  };
}
