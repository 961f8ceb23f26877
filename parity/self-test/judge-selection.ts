/** Level 2: what comparing two choices on the same logits says. */
import type { Selection } from "../../engine/routing/select-experts.ts";
import { compareRouting } from "../../metrics/routing-parity.ts";
import type { RoutingCapture } from "../../metrics/routing-parity.ts";
import { hasTieExcess } from "../../metrics/tie-excess.ts";
import type { SelectionCase } from "./selection-cases.ts";

/** Of weights between 0 and the scaling factor, by which it is multiplied; float32 sums in another order stay below it. */
const WEIGHT_TOLERANCE = 1e-5;

export interface SelectionVerdict {
  /** Why it is a fault; undefined where it is none. */
  readonly fault?: string;
  /** Choices that differ and are excused. */
  readonly nearTies: number;
}

/** Compares a choice with the sound one, token by token. Broken captures come before any comparison. */
export function judgeSelection(of: SelectionCase, found: Selection, sameEngine: boolean): SelectionVerdict {
  const broken = brokenIds(of, found);
  if (broken !== undefined) return { fault: broken, nearTies: 0 };
  const { nTokens, nExpertsAct: k, scale } = of.options;
  const parity = compareRouting({
    docId: 0,
    layers: [0],
    nTokens,
    k,
    baseline: capture(of.sound, of),
    fused: capture(found, of),
    // No margin is below 0: not even an exact tie is excused.
    ...(sameEngine && { nearTieMargin: -1 }),
  });
  const { unexplained, nearTies, ties, weights } = parity.layers[0]!;
  if (unexplained > 0) return { fault: "experts differ", nearTies };
  if (hasTieExcess(ties)) return { fault: "ties differ", nearTies };
  if (weights.notFinite > 0) return { fault: "weights not finite", nearTies };
  if (weights.max > WEIGHT_TOLERANCE * Math.max(1, scale)) return { fault: "weights differ", nearTies };
  return { nearTies };
}

function capture(
  { topkIds, topkWeights, margins, closeScores }: Selection,
  { options }: SelectionCase,
): RoutingCapture {
  const { nGroup = 1, topkGroup = nGroup, correctionBias } = options;
  const rule = { nGroup, topkGroup, groupScore: correctionBias === undefined ? "best" : "best two" } as const;
  const close = closeScores && { rule, of: (row: number) => closeScores.get(row) };
  return { ids: topkIds, weights: topkWeights, margins, close: close && (() => close) };
}

function brokenIds({ options }: SelectionCase, { topkIds }: Selection): string | undefined {
  const { nExpertsAct: k, nExpertsTot } = options;
  if (topkIds.every((id) => id === 0)) return "capture broken: all ids 0";
  if (topkIds.some((id) => id < 0 || id >= nExpertsTot)) return "capture broken: id out of range";
  for (let start = 0; start < topkIds.length; start += k) {
    if (new Set(topkIds.subarray(start, start + k)).size < k) return "capture broken: expert twice in a row";
  }
  return undefined;
}
