/**
 * What the pairs under one answer filter decide, by non-inferiority with a margin.
 *
 * The margin is the loss that one is ready to call no loss. So it comes first: where the whole interval lies within the
 * margin on both sides the variants are `equivalent`, also where it does not hold 0: a difference shown, and shown to be
 * too small to matter. Where it does not lie within, a loss or gain that is shown is `regressed` or `improved`.
 */
import { holm } from "./holm.ts";
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
}

/** n = 0 decides nothing. */
export function decide(pairs: DiscordantPairs, options: DecideOptions): Decision {
  return decideAll([pairs], options)[0] as Decision;
}

/**
 * Several filters or tasks, judged together: losses and gains are shown after Holm's correction, so that the chance of
 * even one false `regressed` (or `improved`) stays at the level. `equivalent` needs none where it is asked of all of them.
 */
export function decideAll(tables: readonly DiscordantPairs[], options: DecideOptions): Decision[] {
  const { margin, level = ONE_SIDED_LEVEL } = options;
  const losses = holm(tables.map(lossMidP));
  const gains = holm(tables.map(gainMidP));
  return tables.map((pairs, index) => {
    if (pairs.n === 0) return "inconclusive";
    if (liesAbove(pairs, -margin, level) && liesBelow(pairs, margin, level)) return "equivalent";
    if (lossShown(pairs, level, losses[index])) return "regressed";
    return gainShown(pairs, level, gains[index]) ? "improved" : "inconclusive";
  });
}

/** What several filters or tasks come to: what the least favourable says, and `improved` where one is and none speaks against. */
export function leastOf(decisions: readonly Decision[]): Decision {
  const least = (["regressed", "inconclusive", "improved"] as const).find((each) => decisions.includes(each));
  return least ?? (decisions.length === 0 ? "inconclusive" : "equivalent");
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
 *
 * @param p - the p-value, where it is corrected for several tests
 */
export function lossShown(pairs: DiscordantPairs, level: number, p: number = lossMidP(pairs)): boolean {
  return liesBelow(pairs, 0, level) && p <= level;
}

export function gainShown(pairs: DiscordantPairs, level: number, p: number = gainMidP(pairs)): boolean {
  return liesAbove(pairs, 0, level) && p <= level;
}
