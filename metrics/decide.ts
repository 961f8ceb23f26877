/**
 * What the pairs under one answer filter decide, by non-inferiority with a margin.
 *
 * The margin is the loss that one is ready to call no loss. So it comes first: where the whole interval lies within the
 * margin on both sides the variants are `equivalent`, also where it does not hold 0: a difference shown, and shown to be
 * too small to matter. Where it does not lie within, a loss or gain that is shown is `regressed` or `improved`.
 */
import { criticalValue, ONE_SIDED_LEVEL } from "./interval.ts";
import { gainMidP, lossMidP } from "./mcnemar.ts";
import { scoreStatistic } from "./tango.ts";
import type { DiscordantPairs } from "./tango.ts";

export type Decision = "equivalent" | "improved" | "regressed" | "inconclusive";

export interface DecideOptions {
  /** Largest difference that does not matter, as a share: 0.01 is one point. 0: any that is shown does. */
  readonly margin: number;
  /** Of one side. Default: 0.025. */
  readonly level?: number;
  /**
   * Level at which a loss or gain counts as shown, where several filters or tasks are judged together and the caller
   * corrects for that. Default: `level`.
   */
  readonly levelOfChange?: number;
}

/** n = 0 decides nothing. */
export function decide(pairs: DiscordantPairs, options: DecideOptions): Decision {
  const { level = ONE_SIDED_LEVEL } = options;
  const { levelOfChange = level } = options;
  if (pairs.n === 0) return "inconclusive";
  if (liesAbove(pairs, -options.margin, level) && liesBelow(pairs, options.margin, level)) return "equivalent";
  if (lossShown(pairs, levelOfChange)) return "regressed";
  if (gainShown(pairs, levelOfChange)) return "improved";
  return "inconclusive";
}

/** Whether Tango's interval lies above `delta`. */
export function liesAbove(pairs: DiscordantPairs, delta: number, level: number): boolean {
  return scoreStatistic(pairs, delta) > criticalValue(level);
}

/** Whether Tango's interval lies below `delta`. */
export function liesBelow(pairs: DiscordantPairs, delta: number, level: number): boolean {
  return scoreStatistic(pairs, delta) < -criticalValue(level);
}

/**
 * The interval lies below 0, and McNemar's one-sided mid-p-value agrees: with few discordant pairs the interval alone
 * would call 4 losses without a win a regression, which chance makes once in 16.
 */
export function lossShown(pairs: DiscordantPairs, level: number): boolean {
  return liesBelow(pairs, 0, level) && lossMidP(pairs) <= level;
}

export function gainShown(pairs: DiscordantPairs, level: number): boolean {
  return liesAbove(pairs, 0, level) && gainMidP(pairs) <= level;
}
