/** Did all that was asked for hold? */
import { leastOf } from "../metrics/decide.ts";
import { poissonTail } from "../metrics/poisson.ts";
import { rateExcess } from "../metrics/rate-excess.ts";
import type { Rate } from "../metrics/rate-excess.ts";
import type { RoutingDetail } from "../metrics/routing-comparison.ts";
import { NEAR_TIE_MARGIN, tiesOf } from "../metrics/routing-parity.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
import { hasTieExcess } from "../metrics/tie-excess.ts";
import type { CaptureVerdict } from "../reports/capture-comparison.ts";
import { count, counted, size } from "../reports/number-text.ts";
import type {
  JudgedLogprobs,
  JudgedParity,
  NoiseFloor,
  NotJudged,
  PairedByFilter,
  VariantSummary,
  Verdict,
} from "../reports/comparison.ts";
import { DEFAULT_MARGIN_POINTS } from "./defaults.ts";
import { answersText, judgeAnswers } from "./judge-answers.ts";
import type { JudgeAnswersOptions } from "./judge-answers.ts";

/**
 * The share of tokens whose expert set may differ where the engine gives no margins, so that a near-tie cannot be told
 * from a fault. Two orders of summing flip about one token in 10,000; any fault that the answers could show, over 1 %.
 */
const MAX_TOKENS_AFFECTED = 0.001;

/**
 * Of what two runs of the baseline were seen to do where what is compared is no rate but a size: the largest of as many is
 * exceeded half of the time by as noisy a variant, and seldom twofold. A convention, no test.
 */
const FLOOR_FACTOR = 2;

/** As many tokens as that share makes less likely than this are a fault: of a few hundred tokens, one flips by chance. */
const CHANCE_OF_FAULT = 0.01;

/**
 * Largest difference of a weight of the same expert on the same token: ten times what the two orders of summing were seen
 * to do to the embedded model's weights (which are of the order of 1), and a hundredth of what bfloat16 would.
 */
export const MAX_WEIGHT_DIFFERENCE = 3e-5;

/**
 * Mean difference of the log-probabilities of the same tokens from which on it is a fault, whatever the engine's arithmetic.
 * Put into the embedded engine, faults that send tokens to wrong experts or weights make it 0.1 to 1.4, bfloat16 weights
 * 1e-5; smaller faults (two weights swapped: 2e-3) cannot be told from what an engine of 16 or 8 bits does by rounding, so
 * below this differences are shown and decide nothing.
 */
const MAX_MEAN_LOGPROB_DIFFERENCE = 0.1;

/** In words: what log-probabilities are held to. */
export const LOGPROB_THRESHOLD: string = `${MAX_MEAN_LOGPROB_DIFFERENCE} on average`;

/** Of fewer tokens than this, one unlikely token makes the mean. */
const MIN_LOGPROBS = 32;

export interface JudgeOptions extends JudgeAnswersOptions {
  /** The run stopped because it was decided: docs that were not asked are not missing. Default: false. */
  readonly decided?: boolean;
  /** What else speaks against the engine, in words. Default: nothing. */
  readonly otherFaults?: readonly string[];
  /** What two runs of the baseline differ by, where that was measured. */
  readonly floor?: NoiseFloor | undefined;
}

export function judge(
  variants: readonly VariantSummary[],
  paired: readonly PairedByFilter[],
  parity: JudgedParity | NotJudged,
  /** What of the routing could not be had, in words. */
  unscored: readonly string[] = [],
  logprobs: JudgedLogprobs | NotJudged = { kind: "not judged", reason: "not asked for" },
  { decided = false, otherFaults = [], floor, ...options }: JudgeOptions = { margin: DEFAULT_MARGIN_POINTS / 100 },
): Verdict {
  const missing = [...variants.flatMap((variant) => missingDocs(variant, decided)), ...unscored];
  const unjudged =
    parity.kind === "not judged" && (parity.broken === true || parity.lacking === true)
      ? [`routing was not judged: ${parity.reason}`]
      : [];
  missing.push(...unjudged);
  const complete = missing.length === 0;
  if (variants.length < 2) return { held: true, complete, reasons: missing };
  const answers = judgeAnswers(paired, options);
  const byAnswers = leastOf(answers.filters.map(({ decision }) => decision));
  const faults = [
    ...(parity.kind === "judged" ? parityFaults(parity, floor) : []),
    ...(logprobs.kind === "judged" ? logprobFaults(logprobs, floor) : []),
    ...otherFaults,
  ];
  if (byAnswers === "regressed" || faults.length > 0) {
    const losses = answersText(paired, answers, "regressed");
    return { outcome: "regressed", answers, held: false, complete, reasons: [...losses, ...faults, ...missing] };
  }
  if (!paired.some(({ n }) => n > 0)) {
    const nothing = "no doc was answered by both variants: nothing was compared";
    return { outcome: "inconclusive", answers, held: false, complete, reasons: [nothing, ...missing] };
  }
  const sound = heldText(parity, logprobs, floor);
  const texts = answersText(paired, answers);
  if (byAnswers === "inconclusive" && provesEquality(paired, parity, logprobs)) {
    const proof = `by routing parity: ${[...sound, "log-probabilities agree", "no doc flipped"].join("; ")}`;
    const reasons = [proof, ...texts.map((text) => `by the answers alone, ${text}`), ...missing];
    return { outcome: "equivalent", answers, held: true, complete, reasons };
  }
  return { outcome: byAnswers, answers, held: true, complete, reasons: [...texts, ...sound, ...missing] };
}

/** Tokens whose routing is compared before it speaks for more than themselves: what one in 300 shows is then seen. */
const MIN_TOKENS_OF_PARITY = 1000;

/**
 * Mean difference of log-probabilities up to which they agree: half of what the smallest fault does that was put into the
 * embedded engine and changed them at all (two weights of a token swapped, 2e-3).
 */
const LOGPROBS_AGREE = 1e-3;

/**
 * Routing that agrees at every level (routing data at all decode steps, experts and weights, log-probabilities) where no
 * answer flipped is stronger evidence than the answers: these show what few docs happen to show, routing shows the kernel
 * itself on thousands of tokens. Where a level is missing, as with most servers, the answers alone decide.
 */
function provesEquality(
  paired: readonly PairedByFilter[],
  parity: JudgedParity | NotJudged,
  logprobs: JudgedLogprobs | NotJudged,
): boolean {
  if (parity.kind !== "judged" || logprobs.kind !== "judged") return false;
  const { routing, invariants } = parity;
  const weights = routing.layers.every(({ weights: { count: compared } }) => compared > 0);
  const levels = invariants.checked + invariants.inAnswers > 0 && routing.marginsKnown && weights && logprobs.count > 0;
  const close = logprobs.notFinite === 0 && logprobs.sum <= LOGPROBS_AGREE * logprobs.count;
  const explained = routing.firstUnexplained === null;
  const flipped = paired.some(({ onlyBaseline, onlyFused }) => onlyBaseline + onlyFused > 0);
  return levels && close && explained && !flipped && routing.tokens >= MIN_TOKENS_OF_PARITY;
}

function missingDocs(
  { name, counts: { total, failed, skipped }, failures }: VariantSummary,
  decided: boolean,
): string[] {
  const missing = failed + (decided ? 0 : skipped);
  if (missing === 0) return [];
  const [first] = failures;
  const why = first === undefined ? "" : ` (doc ${first.doc_id}: ${first.reason})`;
  return [`${name}: ${count(missing)} of ${counted(total, "doc")} ${missing === 1 ? "has" : "have"} no answer${why}`];
}

/** What they say against the engine. */
export function logprobFaults({ count: n, sum, notFinite }: JudgedLogprobs, floor?: NoiseFloor): string[] {
  const faults: string[] = [];
  const measured = floor?.logprobs.kind === "judged" && floor.logprobs.count > 0 ? floor.logprobs : undefined;
  const allowed = measured === undefined ? 0 : (FLOOR_FACTOR * measured.sum) / measured.count;
  if (n >= MIN_LOGPROBS && sum / n > Math.max(MAX_MEAN_LOGPROB_DIFFERENCE, allowed))
    faults.push(
      `log-probabilities of the same ${count(n)} tokens differ by ${(sum / n).toPrecision(2)} on average, more than rounding explains`,
    );
  if (notFinite > 0) faults.push(`log-probabilities of ${counted(notFinite, "token")} are finite in one variant only`);
  return faults;
}

function heldText(
  parity: JudgedParity | NotJudged,
  logprobs: JudgedLogprobs | NotJudged,
  floor: NoiseFloor | undefined,
): string[] {
  if (parity.kind === "judged") return [parityHeld(parity, floor)];
  return logprobs.kind === "judged" ? [logprobsHeld(logprobs)] : [];
}

function logprobsHeld({ count: n, sum }: JudgedLogprobs): string {
  return `log-probabilities of ${counted(n, "token")} differ by ${n === 0 ? "0" : (sum / n).toPrecision(2)} on average`;
}

/** What is wrong with the routing, in words; nothing where it was not judged. */
export function judgeRouting(parity: JudgedParity | NotJudged): readonly string[] {
  return parity.kind === "judged" ? parityFaults(parity) : [];
}

function parityFaults({ routing, invariants }: JudgedParity, floor?: NoiseFloor): string[] {
  const faults: string[] = [];
  if (invariants.broken > 0)
    faults.push(`routing data: ${invariants.broken} invariants broken (${invariants.firstBroken})`);
  const { experts, weights } = routingFaults(routing, floor);
  return [...faults, ...experts, ...weights];
}

/** What the choice of experts and their weights are held to, in words. */
export const ROUTING_THRESHOLDS: Readonly<Record<"experts" | "tokens" | "weights", string>> = {
  experts:
    `none unexplained; ties (margins up to ${size(NEAR_TIE_MARGIN)}) in one variant alone no more than chance makes ` +
    "(sign test, 0.001)",
  tokens: `${100 * MAX_TOKENS_AFFECTED} % of the tokens, beyond chance (Poisson, ${CHANCE_OF_FAULT})`,
  weights: `${size(MAX_WEIGHT_DIFFERENCE)} for any weight`,
};

/** The same, where two runs of the baseline were measured. */
export const FLOOR_THRESHOLDS: Readonly<Record<"rate" | "size", string>> = {
  rate: `no more often than two runs of the baseline, beyond chance (conditional test of two rates, ${CHANCE_OF_FAULT})`,
  size: `or ${FLOOR_FACTOR} times what two runs of the baseline differ by`,
};

/** What of a run's routing speaks against the engine. */
export function routingFaults(
  routing: RoutingParity,
  floor?: NoiseFloor,
): { readonly experts: readonly string[]; readonly weights: readonly string[] } {
  const measured = floor?.parity.kind === "judged" ? floor.parity.routing : undefined;
  // Where margins tell rounding from faults and the baseline repeats itself, there is nothing that noise could excuse.
  const noisy = measured !== undefined && (!routing.marginsKnown || mismatchRate(measured).events > 0);
  const experts = noisy ? beyondFloor(routing, measured) : selectionFaults(routing, moreThanChance);
  const faults: string[] = [];
  const weights = routing.layers.map((layer) => layer.weights);
  const worst = largestWeight(routing);
  const allowed = measured === undefined ? 0 : FLOOR_FACTOR * largestWeight(measured);
  if (worst > Math.max(MAX_WEIGHT_DIFFERENCE, allowed))
    faults.push(`weights of the same expert differ by up to ${worst.toPrecision(2)}`);
  if (weights.some(({ notFinite }) => notFinite > 0)) faults.push("some expert weights are not finite");
  return { experts, weights: faults };
}

function largestWeight({ layers }: RoutingParity): number {
  return Math.max(0, ...layers.map(({ weights: { max } }) => max));
}

/** Choices that nothing explains; where near-ties cannot be told from faults, tokens with other experts. */
function mismatchRate(routing: RoutingParity): Rate {
  const { marginsKnown, tokensAffected, tokens } = routing;
  if (!marginsKnown) return { events: tokensAffected, chances: tokens };
  return { events: sumOf(routing, "unexplained"), chances: sumOf(routing, "tokens") - sumOf(routing, "downstream") };
}

/** What differs more often than between two runs of the baseline, beyond chance. */
function beyondFloor(routing: RoutingParity, floor: RoutingParity): string[] {
  const [rate, measured] = [mismatchRate(routing), mismatchRate(floor)];
  const p = rateExcess(rate, measured);
  const ties = hasTieExcess(tiesOf(floor)) ? [] : tieFaults(routing);
  if (p > CHANCE_OF_FAULT) return ties;
  return [
    `${rateText(routing)}, two runs of the baseline in ${rateText(floor, true)} (p = ${p.toPrecision(2)})`,
    ...ties,
  ];
}

function rateText(routing: RoutingParity, bare = false): string {
  const { events, chances } = mismatchRate(routing);
  const what = routing.marginsKnown ? "choices that no near-tie explains" : "tokens";
  return bare
    ? `${count(events)} of ${count(chances)}`
    : `other experts in ${count(events)} of ${count(chances)} ${what}`;
}

/** More tokens affected than near-ties make, beyond chance. */
function moreThanChance({ tokens, tokensAffected }: RoutingParity): boolean {
  return poissonTail(tokensAffected, MAX_TOKENS_AFFECTED * tokens) <= CHANCE_OF_FAULT;
}

/** A larger share than near-ties make: whoever compares two short captures wants to see the one token that differs. */
function largerShare({ tokens, tokensAffected }: RoutingParity): boolean {
  return tokensAffected > MAX_TOKENS_AFFECTED * tokens;
}

/** @param tooMany - where near-ties cannot be told from faults */
function selectionFaults(routing: RoutingParity, tooMany: (routing: RoutingParity) => boolean): string[] {
  const { tokens, tokensAffected, marginsKnown, firstUnexplained } = routing;
  if (!marginsKnown) {
    if (!tooMany(routing)) return [];
    return [`expert sets differ for ${count(tokensAffected)} of ${count(tokens)} tokens, more than rounding explains`];
  }
  const excess = tieFaults(routing);
  if (firstUnexplained === null) return excess;
  const { doc_id, position, layer } = firstUnexplained;
  const choices = sumOf(routing, "unexplained");
  return [
    `other experts in ${count(choices)} of ${count(sumOf(routing, "tokens"))} choices, which no near-tie explains ` +
      `(the first: doc ${doc_id}, position ${position}, layer ${layer})`,
    ...excess,
  ];
}

function tieFaults(routing: RoutingParity): string[] {
  const ties = tiesOf(routing);
  if (!hasTieExcess(ties)) return [];
  return [
    `${counted(ties.onlyFused, "choice")} within rounding of a tie in the fused variant alone, ${count(ties.onlyBaseline)} ` +
      "in the baseline alone: more than chance makes (scores rounded before the choice, or margins that are not theirs)",
  ];
}

/** What of the routing held, as far as it could be seen. */
function parityHeld({ routing, invariants }: JudgedParity, floor: NoiseFloor | undefined): string {
  const seen = invariants.checked + invariants.inAnswers > 0 ? ["routing data sound"] : [];
  const measured = floor?.parity.kind === "judged" ? floor.parity.routing : undefined;
  const asFloor = measured !== undefined && mismatchRate(routing).events > 0;
  const selection = asFloor
    ? `${rateText(routing)}, no more than two runs of the baseline (${rateText(measured, true)})`
    : selectionHeld(routing);
  return [...seen, selection].join("; ");
}

/** What of the selection held, in words. */
function selectionHeld(routing: RoutingParity): string {
  const { tokens, tokensAffected, marginsKnown, layers } = routing;
  const weights = layers.some(({ weights: { count: compared } }) => compared > 0) ? " with the same weights" : "";
  const same = `every token to the same experts${weights}`;
  if (!marginsKnown && tokensAffected > 0) {
    return `${count(tokensAffected)} of ${counted(tokens, "token")} to other experts, no more than rounding explains`;
  }
  const ties = sumOf(routing, "nearTies");
  const but = ties === 0 ? "" : ` but for ${counted(ties, "near-tie")} of ${count(sumOf(routing, "tokens"))} choices`;
  return `${same}${but}`;
}

/** Judges two captures as a run's are judged, with the tolerance that was asked for. */
export function judgeSelection(
  routing: RoutingParity,
  { layers, firstWeightBeyond: first }: RoutingDetail,
  { weightTolerance }: { readonly weightTolerance: number },
): CaptureVerdict {
  const faults = selectionFaults(routing, largerShare);
  if (first !== null) {
    const beyond = layers.reduce((sum, { weightsBeyond }) => sum + weightsBeyond, 0);
    const worst = Math.max(...routing.layers.map(({ weights: { max } }) => max));
    faults.push(
      `${counted(beyond, "weight")} of the same expert ${beyond === 1 ? "differs" : "differ"} by more than ` +
        `${weightTolerance}, by up to ${worst.toPrecision(2)} (the first: doc ${first.doc_id}, position ` +
        `${first.position}, layer ${first.layer})`,
    );
  }
  if (faults.length > 0) return { held: false, reasons: faults };
  return { held: true, reasons: [selectionHeld(routing)] };
}

function sumOf({ layers }: RoutingParity, of: "tokens" | "nearTies" | "downstream" | "unexplained"): number {
  return layers.reduce((sum, layer) => sum + layer[of], 0);
}
