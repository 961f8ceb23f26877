/** Did all that was asked for hold? */
import { poissonTail } from "../metrics/poisson.ts";
import type { RoutingDetail } from "../metrics/routing-comparison.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
import type { CaptureVerdict } from "../reports/capture-comparison.ts";
import { count, counted } from "../reports/number-text.ts";
import type {
  JudgedLogprobs,
  JudgedParity,
  NotJudged,
  PairedByFilter,
  VariantSummary,
  Verdict,
} from "../reports/comparison.ts";

/**
 * The share of tokens whose expert set may differ where the engine gives no margins, so that a near-tie cannot be told
 * from a fault. Two orders of summing flip about one token in 10,000; any fault that the answers could show, over 1 %.
 */
const MAX_TOKENS_AFFECTED = 0.001;

/** As many tokens as that share makes less likely than this are a fault: of a few hundred tokens, one flips by chance. */
const CHANCE_OF_FAULT = 0.01;

/**
 * Largest difference of a weight of the same expert on the same token: ten times what the two orders of summing were seen
 * to do to the embedded model's weights (which are of the order of 1), and a hundredth of what bfloat16 would.
 */
export const MAX_WEIGHT_DIFFERENCE = 3e-5;

export function judge(
  variants: readonly VariantSummary[],
  paired: readonly PairedByFilter[],
  parity: JudgedParity | NotJudged,
  /** What of the routing could not be had, in words. */
  unscored: readonly string[] = [],
): Verdict {
  const missing = [...variants.flatMap(missingDocs), ...unscored];
  const unjudged =
    parity.kind === "not judged" && parity.broken === true ? [`routing was not judged: ${parity.reason}`] : [];
  missing.push(...unjudged);
  const complete = missing.length === 0;
  const broken = [...paired.flatMap(regressionOf), ...(parity.kind === "judged" ? parityFaults(parity) : [])];
  if (broken.length > 0) return { held: false, complete, reasons: [...broken, ...missing] };
  if (variants.length < 2) return { held: true, complete, reasons: missing };
  if (!paired.some(({ n }) => n > 0)) {
    return {
      held: false,
      complete,
      reasons: ["no doc was answered by both variants: nothing was compared", ...missing],
    };
  }
  const held = ["no filter shows a loss beyond its 95 % interval"];
  if (parity.kind === "judged") held.push(parityHeld(parity));
  return { held: true, complete, reasons: [...held, ...missing] };
}

function missingDocs({ name, counts: { total, failed, skipped }, failures }: VariantSummary): string[] {
  const missing = failed + skipped;
  if (missing === 0) return [];
  const [first] = failures;
  const why = first === undefined ? "" : ` (doc ${first.doc_id}: ${first.reason})`;
  return [`${name}: ${count(missing)} of ${counted(total, "doc")} ${missing === 1 ? "has" : "have"} no answer${why}`];
}

/** All of so many docs lost is more than chance: the two-sided sign test, 2 * 0.5 ** n, falls below 0.05 at 6. */
const ALL_LOST_DOCS = 6;

function regressionOf({ filter, n, difference }: PairedByFilter): string[] {
  if (difference.kind === "all discordant" && difference.delta < 0 && n >= ALL_LOST_DOCS) {
    return [`${filter}: fused lost every one of ${n} docs`];
  }
  if (difference.kind !== "estimated" || difference.high >= 0) return [];
  const points = (x: number): string => (100 * x).toFixed(2);
  return [
    `${filter}: fused is ${points(-difference.delta)} points lower (95 % interval ${points(difference.low)} to ${points(difference.high)})`,
  ];
}

/** What is wrong on each level, in words; empty where nothing is, and where it was not judged. */
export interface LevelFaults {
  readonly routingData: readonly string[];
  readonly selection: readonly string[];
  readonly whatFollows: readonly string[];
  readonly answers: readonly string[];
}

export function faultsByLevel(
  paired: readonly PairedByFilter[],
  parity: JudgedParity | NotJudged,
  logprobs: JudgedLogprobs | NotJudged,
): LevelFaults {
  return {
    routingData: parity.kind === "judged" ? routingDataFaults(parity) : [],
    selection: parity.kind === "judged" ? selectedFaults(parity) : [],
    whatFollows: logprobs.kind === "judged" ? logprobFaults(logprobs) : [],
    answers: paired.flatMap(regressionOf),
  };
}

function parityFaults(parity: JudgedParity): string[] {
  return [...routingDataFaults(parity), ...selectedFaults(parity)];
}

function routingDataFaults({ invariants }: JudgedParity): string[] {
  if (invariants.broken === 0) return [];
  return [`routing data: ${invariants.broken} invariants broken (${invariants.firstBroken})`];
}

function logprobFaults({ notFinite }: JudgedLogprobs): string[] {
  return notFinite === 0 ? [] : [`log-probabilities of ${counted(notFinite, "token")} are finite in one variant only`];
}

function selectedFaults({ routing }: JudgedParity): string[] {
  const faults = selectionFaults(routing, moreThanChance);
  const weights = routing.layers.map((layer) => layer.weights);
  const worst = Math.max(0, ...weights.map(({ max }) => max));
  if (worst > MAX_WEIGHT_DIFFERENCE) faults.push(`weights of the same expert differ by up to ${worst.toPrecision(2)}`);
  if (weights.some(({ notFinite }) => notFinite > 0)) faults.push("some expert weights are not finite");
  return faults;
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
  if (firstUnexplained === null) return [];
  const { doc_id, position, layer } = firstUnexplained;
  const choices = sumOf(routing, "unexplained");
  return [
    `other experts in ${count(choices)} of ${count(sumOf(routing, "tokens"))} choices, which no near-tie explains ` +
      `(the first: doc ${doc_id}, position ${position}, layer ${layer})`,
  ];
}

/** What of the routing held, as far as it could be seen. */
function parityHeld({ routing, invariants }: JudgedParity): string {
  const seen = invariants.checked + invariants.inAnswers > 0 ? ["routing data sound"] : [];
  return [...seen, selectionHeld(routing)].join("; ");
}

/** What of the selection held, in words. */
export function selectionHeld(routing: RoutingParity): string {
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

function sumOf({ layers }: RoutingParity, of: "tokens" | "nearTies" | "unexplained"): number {
  return layers.reduce((sum, layer) => sum + layer[of], 0);
}
