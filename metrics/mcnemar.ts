import { binomialCdf, binomialPmf } from "./binomial.ts";
import type { DiscordantPairs } from "./tango.ts";

/**
 * McNemar's test: of the docs that only one variant has right, is each variant's share a half? The probabilities of what
 * was seen or more, if it is. Exact in that it counts binomial probabilities instead of taking a normal distribution.
 */
export interface McNemar {
  /** Two-sided; never rejects more often than its level says, and so rather too seldom. */
  readonly exact: number;
  /**
   * Two-sided, with half the probability of what was seen: what Fagerland, Lydersen and Laake (BMC Medical Research
   * Methodology 13:91, 2013) recommend, since it keeps its level in practice and finds more than the exact one.
   */
  readonly midP: number;
}

/** Both p-values are 1 where no pair is discordant. */
export function mcnemar({ onlyBaseline, onlyFused }: Omit<DiscordantPairs, "n">): McNemar {
  const discordant = onlyBaseline + onlyFused;
  const fewer = Math.min(onlyBaseline, onlyFused);
  return {
    exact: Math.min(1, 2 * binomialCdf(fewer, discordant, 0.5)),
    midP: Math.min(1, 2 * midPUpTo(fewer, discordant)),
  };
}

/** The one-sided mid-p-value: how likely so few wins for fused (so many losses) are, if it loses as often as it wins. */
export function lossMidP({ onlyBaseline, onlyFused }: Omit<DiscordantPairs, "n">): number {
  return midPUpTo(onlyFused, onlyBaseline + onlyFused);
}

/** Like `lossMidP`, of so few losses. */
export function gainMidP({ onlyBaseline, onlyFused }: Omit<DiscordantPairs, "n">): number {
  return midPUpTo(onlyBaseline, onlyBaseline + onlyFused);
}

function midPUpTo(fewer: number, of: number): number {
  return binomialCdf(fewer, of, 0.5) - binomialPmf(fewer, of, 0.5) / 2;
}
