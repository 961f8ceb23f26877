/** Did all that was asked for hold? */
import type { JudgedParity, NotJudged, PairedByFilter, Verdict } from "../reports/comparison.ts";

/**
 * Most tokens whose expert set may differ between the variants on identical tokens. The two sum a token's expert outputs in
 * different orders, so a router downstream may see a last-bit difference, and where two experts are that close it may
 * choose the other. A wrong kernel moves far more: any fault that the answers could show affects over 1 % of tokens.
 */
const MAX_TOKENS_AFFECTED = 0.001;

/** Largest difference of a weight of the same expert, relative to nothing: weights are of the order of 1. */
const MAX_WEIGHT_DIFFERENCE = 1e-3;

export function judge(paired: readonly PairedByFilter[], parity: JudgedParity | NotJudged): Verdict {
  const broken = [...paired.flatMap(regressionOf), ...(parity.kind === "judged" ? parityFaults(parity) : [])];
  if (broken.length > 0) return { held: false, reasons: broken };
  if (paired.length === 0) return { held: true, reasons: [] };
  const held = ["no filter shows a loss beyond its 95 % interval"];
  if (parity.kind === "judged") held.push("routing data sound, and every token's experts agree within rounding");
  return { held: true, reasons: held };
}

function regressionOf({ filter, difference }: PairedByFilter): string[] {
  if (difference.kind !== "estimated" || difference.high >= 0) return [];
  const points = (x: number): string => `${(100 * x).toFixed(2)}`;
  return [`${filter}: fused is ${points(-difference.delta)} points lower (95 % interval ${points(difference.low)} to ${points(difference.high)})`];
}

function parityFaults({ routing, invariants }: JudgedParity): string[] {
  const faults: string[] = [];
  if (invariants.broken > 0) faults.push(`routing data: ${invariants.broken} invariants broken (${invariants.firstBroken})`);
  if (routing.tokensAffected > MAX_TOKENS_AFFECTED * routing.tokens) {
    faults.push(`expert sets differ for ${routing.tokensAffected} of ${routing.tokens} tokens, more than rounding explains`);
  }
  const weights = routing.layers.map((layer) => layer.weights);
  const worst = Math.max(0, ...weights.map(({ max }) => max));
  if (worst > MAX_WEIGHT_DIFFERENCE) faults.push(`weights of the same expert differ by up to ${worst.toPrecision(2)}`);
  if (weights.some(({ notFinite }) => notFinite > 0)) faults.push("some expert weights are not finite");
  return faults;
}
