/** The findings of a run in words, the same on the terminal and in Markdown. */
import { mergeDifferences, NO_DIFFERENCES } from "../metrics/difference.ts";
import type { DifferenceSum } from "../metrics/difference.ts";
import { throughput } from "../metrics/latency.ts";
import type { Divergence, RoutingParity } from "../metrics/routing-parity.ts";
import type {
  Comparison,
  FlippedDoc,
  InvariantCounts,
  JudgedLogprobs,
  PairedByFilter,
  PartedTexts,
  VariantSummary,
} from "./comparison.ts";
import { count, counted, points, probability, size } from "./number-text.ts";

/** How sure the paired difference is: a sentence part such as `-0.50 points, SE 0.71, 95 % interval -1.89 to +0.89`. */
export interface DifferenceText {
  readonly delta: string;
  readonly standardError: string;
  readonly interval: string;
}

/** The cells that describe a paired difference; a dash where too few docs leave nothing to say. */
export function differenceText({ difference }: PairedByFilter): DifferenceText {
  if (difference.kind === "no docs") return { delta: "-", standardError: "-", interval: "no docs" };
  return {
    delta: points(difference.delta),
    standardError: difference.kind === "estimated" ? (100 * difference.standardError).toFixed(2) : "-",
    interval: `${points(difference.low)} to ${points(difference.high)}`,
  };
}

/** McNemar's p-values: `mid-p 0.039, exact 0.070`. */
export function mcnemarText({ mcnemar: { midP, exact } }: PairedByFilter): string {
  return `mid-p ${probability(midP)}, exact ${probability(exact)}`;
}

/** Docs that are in no pair because one variant alone answered them; nothing where there are none. */
export function unpairedText({ unpaired }: Comparison): string[] {
  if (unpaired === undefined || unpaired.baseline + unpaired.fused === 0) return [];
  const { baseline, fused } = unpaired;
  return [
    `In no pair: ${counted(baseline, "doc")} that only the baseline answered, ${count(fused)} that only fused did.`,
  ];
}

/** Wilson's intervals of one variant's filters: `strict-match 0.8844 to 0.9508`; filters with the same share a text. */
export function wilsonText({ intervals = [] }: VariantSummary): string[] {
  const byText = new Map<string, string[]>();
  for (const { filter, low, high } of intervals) {
    const text = `${low.toFixed(4)} to ${high.toFixed(4)}`;
    byText.set(text, [...(byText.get(text) ?? []), filter]);
  }
  const texts = [...byText].map(([text, filters]) => `${filters.join(", ")} ${text}`);
  return texts.length === 0 ? [] : [`95 % interval (Wilson): ${texts.join("; ")}`];
}

const OUTCOMES = {
  equivalent: "Equivalent.",
  improved: "Improved.",
  regressed: "Regressed.",
  inconclusive: "Inconclusive.",
} as const;

/**
 * The verdict in a word. A loss is said also of a run that is not complete; what else an incomplete run found, only its
 * reasons say. One variant alone can only be complete or not: there is nothing that it must equal.
 */
export function verdictWord({ variants, verdict: { outcome, complete } }: Comparison): string {
  if (outcome === "regressed") return OUTCOMES.regressed;
  if (!complete) return "Incomplete.";
  return variants.length < 2 || outcome === undefined ? "Complete." : OUTCOMES[outcome];
}

/** The docs that flipped under any filter, each once, by rising id. */
export function flippedIds(flips: readonly FlippedDoc[]): number[] {
  return [...new Set(flips.map(({ doc_id }) => doc_id))].toSorted((a, b) => a - b);
}

/** All layers' weight differences together. */
function allWeights(routing: RoutingParity): DifferenceSum {
  return routing.layers.map(({ weights }) => weights).reduce(mergeDifferences, NO_DIFFERENCES);
}

/** `largest 1.19e-7, mean 3.1e-9 over 1,629,630`; says so when there is nothing to compare. */
function differenceSum({ count: n, sum, max, notFinite }: DifferenceSum, noun: string): string {
  const broken = notFinite === 0 ? "" : `; ${count(notFinite)} more differ and are not finite`;
  if (n === 0) return `no ${noun}s to compare${broken}`;
  return `largest ${size(max)}, mean ${size(sum / n)} over ${counted(n, noun)}${broken}`;
}

/** What the routers chose, in sentences. */
export function routingSentences(parity: Comparison["parity"]): string[] {
  if (parity.kind === "not judged") return [];
  const { routing, invariants } = parity;
  const sum = (of: "tokens" | "entries" | "idsMismatched" | "tokensMismatched" | Cause | "tokensNotJudged"): number =>
    routing.layers.reduce((total, layer) => total + layer[of], 0);
  const causes = causesOf(routing)
    .map(([cause, words]) => `${words} ${count(sum(cause))}`)
    .join(", ");
  const mismatched = sum("tokensMismatched");
  return [
    `${counted(routing.layers.length, "MoE layer")}, ${counted(routing.tokens, "token")} of ${counted(routing.docs, "doc")} ` +
      `(the same prompt and completion scored by both variants).`,
    `Expert ids that differ, as sets: ${count(sum("idsMismatched"))} of ${count(sum("entries"))}; ` +
      `tokens affected in any layer: ${count(routing.tokensAffected)} of ${count(routing.tokens)}.`,
    ...(mismatched === 0 ? [] : [`Choices that differ: ${count(mismatched)} of ${count(sum("tokens"))}: ${causes}.`]),
    `Weights, id by id: ${differenceSum(allWeights(routing), "weight")}` +
      (mismatched === 0
        ? "."
        : `; ${counted(sum("tokensNotJudged"), "choice")} downstream of a divergence ${sum("tokensNotJudged") === 1 ? "is" : "are"} not judged.`),
    routingDataSentence(invariants),
    firstDivergenceSentence(routing),
  ];
}

function routingDataSentence({ checked, inAnswers, broken }: InvariantCounts): string {
  if (checked + inAnswers === 0)
    return "Routing data (histogram, gather, scatter): cannot be seen from outside the engine.";
  return (
    `Routing-data entries checked: ${count(checked)} of these sequences, ${count(inAnswers)} of all decode steps of the answers; ` +
    `${count(broken)} broken invariants.`
  );
}

type Cause = "nearTies" | "downstream" | "unexplained";

const CAUSES: readonly (readonly [Cause, string])[] = [
  ["nearTies", "near-ties"],
  ["downstream", "downstream of an earlier divergence"],
  ["unexplained", "unexplained"],
];

/** What a choice that differs is called where no margin tells a near-tie from a fault. */
export const UNTOLD = "near-tie or fault";

/** Without margins nothing is known to be a near-tie, and nothing to be none. */
function causesOf({ marginsKnown }: RoutingParity): typeof CAUSES {
  if (marginsKnown) return CAUSES;
  return CAUSES.flatMap(([cause, words]) =>
    cause === "nearTies" ? [] : [[cause, cause === "unexplained" ? UNTOLD : words] as const],
  );
}

function firstDivergenceSentence({ firstDivergence, firstUnexplained, marginsKnown }: RoutingParity): string {
  if (firstDivergence === null) return "First divergence: none.";
  const where = ({ doc_id, position, layer }: Divergence): string =>
    `doc ${doc_id}, position ${position}, layer ${layer}`;
  // Without margins the first divergence is that.
  if (!marginsKnown) return `First divergence: ${where(firstDivergence)}.`;
  const unexplained =
    firstUnexplained === null ? "none unexplained" : `the first unexplained: ${where(firstUnexplained)}`;
  return `First divergence: ${where(firstDivergence)}; ${unexplained}.`;
}

/** How far the log-probabilities of the same tokens lie apart, how the tokens came about, and what could not be compared. */
export function logprobSentence(logprobs: JudgedLogprobs): string {
  const { way = "given tokens", docs, parted, lacking } = logprobs;
  const tokens = {
    "given tokens": "the same tokens",
    "given text": "the same tokens (the baseline's answers, given to both variants as text)",
    generated: "the tokens that both variants generate, each for itself, up to where they part",
  }[way];
  const sentence = `Log-probabilities of ${tokens}: ${differenceSum(logprobs, "token")} of ${counted(docs, "doc")}.`;
  const left = lacking && ` ${counted(lacking.docs, "doc")} could not be compared (${lacking.reason}).`;
  return `${sentence}${parted === undefined ? "" : ` ${partedSentence(parted, docs)}`}${left ?? ""}`;
}

function partedSentence({ docs, first }: PartedTexts, compared: number): string {
  const which = `${count(docs)} of ${counted(compared, "doc")}`;
  if (first === null) return `They part in ${which}.`;
  return `They part in ${which}, the first in doc ${first.doc_id} at token ${first.token}.`;
}

/** What else differs is no less a cause than what is compared. */
export function allowedDifferences({ differences = [] }: Comparison): string[] {
  return differences.map((difference) => `Compared all the same (--allow-differences): ${difference}`);
}

/** Which of the levels that parity can be judged by were judged. */
export function levelsSentence({ paired, parity, logprobs, levels: rows }: Comparison): string {
  // Of too few tokens there are numbers, and no judgement.
  const row = rows.find(({ what }) => what === "log-probabilities");
  const levels = [
    ["answers", paired.some(({ n }) => n > 0)],
    ["log-probabilities", logprobs.kind === "judged" && row?.outcome !== "not judged"],
    ["routing", parity.kind === "judged"],
  ] as const;
  const names = (judged: boolean): string =>
    levels
      .filter(([, each]) => each === judged)
      .map(([name]) => name)
      .join(", ");
  const [yes, no] = [names(true), names(false)];
  return `Judged by: ${yes === "" ? "nothing" : yes}${no === "" ? "" : `; not by: ${no}`}.`;
}

/** Cut completions are a fault of the setting where there are more than a few of them. */
const MANY_CUT = 0.05;

/** Said where so many completions were cut that the answers tell of the limit, not of the engine. */
export function cutWarnings(variants: readonly VariantSummary[]): string[] {
  return variants.flatMap(({ name, counts, truncated }) => {
    const completed = counts.scored + counts.unanswered;
    if (completed === 0 || truncated <= MANY_CUT * completed) return [];
    return [
      `${name}: ${count(truncated)} of ${counted(completed, "completion")} ${truncated === 1 ? "was" : "were"} cut at max_tokens; raise --max-tokens if answers end later.`,
    ];
  });
}

/** Where a model's reasoning has gone: it is no part of what is marked. */
export function reasoningSentences(variants: readonly VariantSummary[]): string[] {
  return variants.flatMap(({ name, counts, reasoned = 0 }) =>
    reasoned === 0
      ? []
      : `${name}: ${count(reasoned)} of ${counted(counts.scored + counts.unanswered, "answer")} came with reasoning, ` +
        "kept apart (reasoning in completions.jsonl and in the samples) and not scored.",
  );
}

/** Prompt and generated tokens per second, both over the variant's wall clock. */
export function rates(variant: VariantSummary): { readonly prompt: string; readonly generated: string } {
  const { counts, promptTokens, generatedTokens, seconds } = variant;
  const measured = throughput({ requests: counts.scored + counts.unanswered, promptTokens, generatedTokens, seconds });
  if (measured.kind === "not measured") return { prompt: "-", generated: "-" };
  return { prompt: count(measured.promptTokensPerSecond), generated: count(measured.generatedTokensPerSecond) };
}
