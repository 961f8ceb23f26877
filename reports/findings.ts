/** The findings of a run in words, the same on the terminal and in Markdown. */
import { throughput } from "../metrics/latency.ts";
import type { DifferenceSum } from "../metrics/difference.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
import type { Comparison, FlippedDoc, JudgedLogprobs, PairedByFilter, VariantSummary } from "./comparison.ts";
import { count, counted, points, size } from "./number-text.ts";

/** How sure the paired difference is: a sentence part such as `-0.50 points, SE 0.71, 95 % interval -1.89 to +0.89`. */
export interface DifferenceText {
  readonly delta: string;
  readonly standardError: string;
  readonly interval: string;
}

/** The cells that describe a paired difference; a dash where too few docs leave nothing to say. */
export function differenceText({ n, difference }: PairedByFilter): DifferenceText {
  switch (difference.kind) {
    case "no docs":
      return { delta: "-", standardError: "-", interval: "no docs" };
    case "one doc":
      return { delta: points(difference.delta), standardError: "-", interval: "not from one doc" };
    case "no discordant pairs":
      return {
        delta: points(0),
        standardError: "-",
        interval: `not estimated: 0 of ${count(n)} docs differ (under ${(100 * difference.discordantBelow).toFixed(2)} % at 95 % confidence)`,
      };
    case "all discordant":
      return { delta: points(difference.delta), standardError: "-", interval: "every doc flipped" };
    default:
      return {
        delta: points(difference.delta),
        standardError: (100 * difference.standardError).toFixed(2),
        interval: `${points(difference.low)} to ${points(difference.high)}`,
      };
  }
}

/** The verdict in a word or two. One variant alone can only be complete or not: there is nothing that it must equal. */
export function verdictWord({ variants, verdict }: Comparison): string {
  if (variants.length > 1) return verdict.held ? "Held." : "Did not hold.";
  return verdict.held ? "Complete." : "Incomplete.";
}

/** The docs that flipped under any filter, each once, by rising id. */
export function flippedIds(flips: readonly FlippedDoc[]): number[] {
  return [...new Set(flips.map(({ doc_id }) => doc_id))].toSorted((a, b) => a - b);
}

/** All layers' weight differences together. */
export function allWeights(routing: RoutingParity): DifferenceSum {
  let total: DifferenceSum = { count: 0, sum: 0, max: 0, notFinite: 0 };
  for (const { weights } of routing.layers) {
    total = {
      count: total.count + weights.count,
      sum: total.sum + weights.sum,
      max: Math.max(total.max, weights.max),
      notFinite: total.notFinite + weights.notFinite,
    };
  }
  return total;
}

/** `largest 1.19e-7, mean 3.1e-9 over 1,629,630`; says so when there is nothing to compare. */
export function differenceSum({ count: n, sum, max, notFinite }: DifferenceSum, noun: string): string {
  const broken = notFinite === 0 ? "" : `; ${count(notFinite)} more differ and are not finite`;
  if (n === 0) return `no ${noun}s to compare${broken}`;
  return `largest ${size(max)}, mean ${size(sum / n)} over ${counted(n, noun)}${broken}`;
}

/** What the routers chose, in sentences. */
export function routingSentences(parity: Comparison["parity"]): string[] {
  if (parity.kind === "not judged") return [];
  const { routing, invariants } = parity;
  const entries = routing.layers.reduce((sum, layer) => sum + layer.entries, 0);
  const mismatched = routing.layers.reduce((sum, layer) => sum + layer.idsMismatched, 0);
  const first = routing.firstDivergence;
  return [
    `${counted(routing.layers.length, "MoE layer")}, ${counted(routing.tokens, "token")} of ${counted(routing.docs, "doc")} ` +
      `(the same prompt and completion scored by both variants).`,
    `Expert ids that differ, as sets: ${count(mismatched)} of ${count(entries)}; ` +
      `tokens affected in any layer: ${count(routing.tokensAffected)} of ${count(routing.tokens)}.`,
    `Weights, id by id: ${differenceSum(allWeights(routing), "weight")}.`,
    `Routing-data invariants: ${count(invariants.checked)} checked, ${count(invariants.broken)} broken.`,
    first === null
      ? "First divergence: none."
      : `First divergence: doc ${first.doc_id}, position ${first.position}, layer ${first.layer}.`,
  ];
}

/** How far the log-probabilities of the same tokens lie apart. */
export function logprobSentence(logprobs: JudgedLogprobs): string {
  return `Log-probabilities of the same tokens: ${differenceSum(logprobs, "token")} of ${counted(logprobs.docs, "doc")}.`;
}

/** Prompt and generated tokens per second, both over the variant's wall clock. */
export function rates(variant: VariantSummary): { readonly prompt: string; readonly generated: string } {
  const { counts, promptTokens, generatedTokens, seconds } = variant;
  const measured = throughput({ requests: counts.scored + counts.unanswered, promptTokens, generatedTokens, seconds });
  if (measured.kind === "not measured") return { prompt: "-", generated: "-" };
  return { prompt: count(measured.promptTokensPerSecond), generated: count(measured.generatedTokensPerSecond) };
}
