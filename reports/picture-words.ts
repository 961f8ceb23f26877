/** What is seen of margins, load and the worst tokens, in sentences; the same on the terminal and in Markdown. */
import type { ExpertLoad } from "../metrics/expert-load.ts";
import type { MarginHistogram } from "../metrics/margin-histogram.ts";
import { count, counted, size } from "./number-text.ts";

export type SideNames = readonly [baseline: string, fused: string];

export const RUN_SIDES: SideNames = ["baseline", "fused"];

/** How many choices are so close that either outcome is right. */
export function marginSentence(
  { bins, zero, other }: MarginHistogram,
  nearTieMargin: number,
  [baseline]: SideNames,
): string {
  const all = bins.reduce((sum, { choices }) => sum + choices, zero.choices + other.choices);
  const close = bins.filter(({ to }) => to <= nearTieMargin * 1.01);
  const ties = close.reduce((sum, { choices }) => sum + choices, zero.choices);
  const [first] = bins;
  const least = zero.choices > 0 ? "0" : first === undefined ? "-" : `above ${size(first.from)}`;
  return (
    `Router margins of ${baseline}: about ${count(ties)} of ${counted(all, "choice")} within ${size(nearTieMargin)}, ` +
    `where rounding may decide; the smallest: ${least}.`
  );
}

/** The layer whose busiest expert has most to do, per variant. */
export function loadSentence({ layers, nExpertsTot }: ExpertLoad, names: SideNames): string {
  const sides = (["baseline", "fused"] as const).map((side, index) => {
    const [worst] = layers.toSorted((a, b) => b[side].imbalance - a[side].imbalance);
    if (worst === undefined) return names[index]!;
    const empty = layers.reduce((sum, layer) => sum + layer[side].empty, 0);
    const idle = empty === 0 ? "" : `, ${counted(empty, "expert")} without a token`;
    return `${names[index]} ${size(worst[side].imbalance)} × (layer ${worst.layer}, expert ${worst[side].busiest}${idle})`;
  });
  return `Expert load, busiest of ${nExpertsTot} experts against an even share: ${sides.join("; ")}.`;
}

export function noTokenDiffers(weightTolerance: number): string {
  return `No token went to other experts, and no weight differs by more than ${size(weightTolerance)}.`;
}

export const WORST_ORDER: string =
  "Unexplained first, then weights beyond the tolerance, near-ties, and what is downstream of these; among them, whose weight " +
  "went to other experts most. Each token with the worst of its layers.";
