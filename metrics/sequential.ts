/**
 * A test that may be looked at after every doc: the chance that it ever calls what is not so stays at its level, however
 * often one looks and whenever one stops. A test made for a fixed number of docs loses its level when it is peeked at.
 *
 * Method: betting (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, JRSS B 86:1-27,
 * 2024). To show that the mean difference lies above `delta`, a gambler who starts with 1 bets on each doc at odds that
 * are fair if it does not; by Ville's inequality (1939) such wealth ever reaches 40 with a chance of at most 1 in 40. How
 * much to bet depends on what is to be found, so the stake is split among gamblers who bet different fixed fractions
 * (Robbins' method of mixtures, 1970). The wealth depends only on how often each outcome was seen, not on the order.
 */
import { leastOf } from "./decide.ts";
import type { Decision } from "./decide.ts";
import { ONE_SIDED_LEVEL } from "./interval.ts";
import type { Interval } from "./interval.ts";
import type { DiscordantPairs } from "./tango.ts";

/**
 * What the gamblers bet, as shares of the most that cannot ruin one at once. The largest find equivalence where hardly
 * a doc differs, the smallest tell small differences among many discordant docs.
 */
const FRACTIONS: readonly number[] = [0.97, 0.9, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03, 0.015];

/** ln of the wealth of who bets that the mean of fused - baseline lies above `delta` (-1 to 1). */
export function logWealthAbove({ n, onlyBaseline, onlyFused }: DiscordantPairs, delta: number): number {
  // Nothing lies below -1, and a mean of 1 or more is excluded by any doc that is not won.
  if (delta <= -1) return n === 0 ? 0 : Infinity;
  const alike = n - onlyBaseline - onlyFused;
  const wealths = FRACTIONS.map((fraction) => {
    const stake = fraction / (1 + delta);
    return (
      onlyFused * Math.log1p(stake * (1 - delta)) +
      onlyBaseline * Math.log1p(-fraction) +
      alike * Math.log1p(-stake * delta)
    );
  });
  const most = Math.max(...wealths);
  const sum = wealths.reduce((total, wealth) => total + Math.exp(wealth - most), 0);
  return most + Math.log(sum / FRACTIONS.length);
}

/** ln of the wealth of who bets that it lies below `delta`. */
export function logWealthBelow({ n, onlyBaseline, onlyFused }: DiscordantPairs, delta: number): number {
  return logWealthAbove({ n, onlyBaseline: onlyFused, onlyFused: onlyBaseline }, -delta);
}

/** Halvings until an end is exact enough to print. */
const HALVINGS = 40;

/**
 * The differences that no gambler has refuted: they hold the truth at every look at once, with a chance of 1 - level on
 * each side (a confidence sequence). [-1, 1] before the first doc.
 */
export function sequentialInterval(pairs: DiscordantPairs, level: number = ONE_SIDED_LEVEL): Interval {
  const enough = -Math.log(level);
  const highest = (low: number, high: number, holds: (delta: number) => boolean): number => {
    let [from, to] = [low, high];
    for (let step = 0; step < HALVINGS; step++) {
      const middle = (from + to) / 2;
      if (holds(middle)) from = middle;
      else to = middle;
    }
    return from;
  };
  if (pairs.n === 0) return { low: -1, high: 1 };
  const refutedFrom = (of: DiscordantPairs): number => highest(-1, 1, (delta) => logWealthAbove(of, delta) >= enough);
  const { n, onlyBaseline, onlyFused } = pairs;
  return { low: refutedFrom(pairs), high: -refutedFrom({ n, onlyBaseline: onlyFused, onlyFused: onlyBaseline }) };
}

export interface SequentialOptions {
  /** As a share: 0.01 is one point. */
  readonly margin: number;
  /** Of one side. Default: 0.025. */
  readonly level?: number;
}

/**
 * What several filters' pairs decide at this look, in the words of `decideAll`. Losses and gains are shown at the level
 * over the number of filters (Bonferroni), so that even one false one is as rare as the level says, at any look.
 */
export function decideSequentially(
  tables: readonly DiscordantPairs[],
  { margin, level = ONE_SIDED_LEVEL }: SequentialOptions,
): Decision[] {
  const enough = -Math.log(level);
  const enoughOfAll = enough + Math.log(Math.max(1, tables.length));
  return tables.map((pairs) => {
    if (logWealthAbove(pairs, -margin) >= enough && logWealthBelow(pairs, margin) >= enough) return "equivalent";
    if (logWealthBelow(pairs, 0) >= enoughOfAll) return "regressed";
    return logWealthAbove(pairs, 0) >= enoughOfAll ? "improved" : "inconclusive";
  });
}

/** Counts pairs as they come, and says whether to go on. */
export class SequentialPairs {
  readonly #options: SequentialOptions;
  readonly #tables: { n: number; onlyBaseline: number; onlyFused: number }[];

  /** @param filters - how many answer filters each doc is marked by */
  constructor(filters: number, options: SequentialOptions) {
    this.#options = options;
    this.#tables = Array.from({ length: filters }, () => ({ n: 0, onlyBaseline: 0, onlyFused: 0 }));
  }

  /** One doc's marks, filter by filter. */
  add(baseline: readonly (0 | 1)[], fused: readonly (0 | 1)[]): void {
    for (const [index, table] of this.#tables.entries()) {
      const [a, b] = [baseline[index], fused[index]];
      if (a === undefined || b === undefined) throw new RangeError(`filter ${index} has no mark`);
      table.n += 1;
      if (a > b) table.onlyBaseline += 1;
      if (b > a) table.onlyFused += 1;
    }
  }

  get tables(): readonly DiscordantPairs[] {
    return this.#tables;
  }

  /** `inconclusive` until it is decided. A loss under one filter decides, else all filters have to be decided. */
  decision(): Decision {
    return leastOf(decideSequentially(this.#tables, this.#options));
  }
}
