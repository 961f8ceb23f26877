/** Router logits -> the K experts of each token and their weights (the step before routing data are made). */
import { choiceMargin } from "./router-margin.ts";
import { type ScoringFunction, scoreRow } from "./scores.ts";
import { checkSelectOptions, type SelectOptions } from "./select-options.ts";

export type { SelectOptions } from "./select-options.ts";

export interface Selection {
  /** [N, K] expert ids, distinct within a row, in descending order of the (biased) choice score. */
  readonly topkIds: Int32Array;
  /** [N, K] their weights. */
  readonly topkWeights: Float32Array;
  /**
   * [N] by how much the worst expert chosen outscored the best one left out (with groups: or the worst group kept the best
   * one left out, if that is closer). Only where it was asked for.
   */
  readonly margins?: Float32Array;
  /**
   * [E] the scores, with their bias, that each token whose margin is at most `CLOSE_MARGIN` was chosen by: what else rounding
   * could have made of the choice. Only with margins.
   */
  readonly closeScores?: Map<number, Float32Array>;
}

/** Ten times the margin that is a tie within rounding: the scores of few tokens have to be kept, and those of all that tie. */
const CLOSE_MARGIN = 1e-4;

/** Guards a renormalisation against 0/0, as in Transformers and aiter; too small to change any other sum. */
const RENORMALIZE_EPSILON = 1e-20;

/**
 * Chooses experts as torch does in float32:
 *
 * 1. score = softmax, sigmoid or sqrt(softplus) of the logits; choice = score + correction bias.
 * 2. With groups: a group's score is the sum of its two best choices where there is a bias, its best choice where there
 *    is none; experts outside of the `topkGroup` best groups cannot be chosen.
 * 3. The K best choices, best first. Equal choices: the lower id first (`ties: "highest"`: the higher id).
 * 4. weight = the unbiased score; divided by (their sum + 1e-20) if `renormalize`; times `scale`.
 *
 * Degenerate rows: ids are always distinct and in range, as NaN ranks below every number (NaN among themselves: the tie
 * rule). Weights are what float arithmetic gives, so that a fault upstream stays visible: softmax of a row with a NaN or
 * +inf, or of a row that is all -inf, is NaN; sigmoid and sqrt-softplus of -inf are 0, and a sum of 0 renormalises to 0.
 *
 * @param logits [N, E] row-major.
 * @param out Buffers to fill and return, of exactly N*K elements each, instead of new ones.
 * @throws UserError where sizes disagree or options contradict each other.
 */
export function selectExperts(logits: Float32Array, options: SelectOptions, out?: Selection): Selection {
  checkSelectOptions(logits, options);
  const { nTokens, nExpertsTot, nExpertsAct, correctionBias } = options;
  const selection = out ?? createSelection(options);
  if (selection.topkIds.length !== nTokens * nExpertsAct || selection.topkWeights.length !== nTokens * nExpertsAct) {
    throw new RangeError(`the buffers of a selection need ${nTokens * nExpertsAct} elements each`);
  }
  const scores = new Float32Array(nExpertsTot);
  const choice = correctionBias === undefined ? scores : new Float32Array(nExpertsTot);
  const best = new Float32Array(nExpertsAct);
  const groups = createGroups(options);
  const scoring: ScoringFunction | "none" = options.softmaxAfterTopk === true ? "none" : options.scoring;
  for (let token = 0; token < nTokens; token++) {
    if (scoring === "none") scores.set(logits.subarray(token * nExpertsTot, (token + 1) * nExpertsTot));
    else scoreRow(logits, token * nExpertsTot, scoring, scores);
    if (correctionBias !== undefined) {
      for (let e = 0; e < nExpertsTot; e++) choice[e] = (scores[e] ?? 0) + (correctionBias[e] ?? 0);
    }
    if (groups !== undefined) keepBestGroups(choice, groups);
    chooseExperts(choice, groups, options.ties === "highest", best, selection.topkIds, token * nExpertsAct);
    if (selection.margins !== undefined) {
      const margin = routerMargin(choice, groups, selection.topkIds, token * nExpertsAct, nExpertsAct);
      selection.margins[token] = margin;
      if (margin <= CLOSE_MARGIN) selection.closeScores?.set(token, choice.slice());
    }
    weighExperts(scores, options, selection, token * nExpertsAct);
  }
  return selection;
}

function createSelection({ nTokens, nExpertsAct, margins }: SelectOptions): Selection {
  return {
    topkIds: new Int32Array(nTokens * nExpertsAct),
    topkWeights: new Float32Array(nTokens * nExpertsAct),
    ...(margins === true ? { margins: new Float32Array(nTokens), closeScores: new Map() } : {}),
  };
}

function routerMargin(
  choice: Float32Array,
  groups: Groups | undefined,
  ids: Int32Array,
  start: number,
  k: number,
): number {
  if (groups === undefined) return choiceMargin(choice, ids, start, k);
  const { size, kept, scores, chosen, topkGroup } = groups;
  const experts = choiceMargin(choice, ids, start, k, (expert) => kept[Math.floor(expert / size)] === 1);
  return Math.min(experts, choiceMargin(scores, chosen, 0, topkGroup));
}

interface Groups {
  readonly size: number;
  readonly topkGroup: number;
  readonly biased: boolean;
  readonly highestFirst: boolean;
  readonly scores: Float32Array;
  readonly best: Float32Array;
  readonly chosen: Int32Array;
  /** 1 where a group is kept for the row at hand. */
  readonly kept: Uint8Array;
}

/** Scratch for grouped top-k, or nothing where groups would change nothing. */
function createGroups({ nGroup = 1, topkGroup = nGroup, ...options }: SelectOptions): Groups | undefined {
  if (topkGroup === nGroup) return undefined;
  return {
    size: options.nExpertsTot / nGroup,
    topkGroup,
    biased: options.correctionBias !== undefined,
    highestFirst: options.ties === "highest",
    scores: new Float32Array(nGroup),
    best: new Float32Array(topkGroup),
    chosen: new Int32Array(topkGroup),
    kept: new Uint8Array(nGroup),
  };
}

function keepBestGroups(choice: Float32Array, groups: Groups): void {
  const { size, scores, kept, chosen } = groups;
  for (let g = 0; g < scores.length; g++) {
    let first = -Infinity;
    let second = -Infinity;
    for (let e = g * size; e < (g + 1) * size; e++) {
      const value = choice[e] ?? 0;
      if (value > first) {
        second = first;
        first = value;
      } else if (value > second) second = value;
    }
    // A group of one expert has no second; the best alone then is its score.
    scores[g] = groups.biased && size > 1 ? first + second : first;
  }
  chooseExperts(scores, undefined, groups.highestFirst, groups.best, chosen, 0);
  kept.fill(0);
  for (const g of chosen) kept[g] = 1;
}

/**
 * Writes the indices of the `best.length` largest values, largest first, to `ids` from `start` on. An insertion into the
 * short sorted list `best` per candidate: for K <= 16 nearly all candidates end at the first comparison.
 */
function chooseExperts(
  choice: Float32Array,
  groups: Groups | undefined,
  highestFirst: boolean,
  best: Float32Array,
  ids: Int32Array,
  start: number,
): void {
  const k = best.length;
  const n = choice.length;
  let filled = 0;
  for (let i = 0; i < n; i++) {
    const e = highestFirst ? n - 1 - i : i;
    if (groups !== undefined && groups.kept[Math.floor(e / groups.size)] === 0) continue;
    const value = choice[e] ?? 0;
    if (filled === k && !ranksAbove(value, best[k - 1] ?? 0)) continue;
    if (k === 0) return;
    let slot = filled < k ? filled++ : k - 1;
    // Candidates come in order of preference, so an equal value stays behind those already in the list.
    for (; slot > 0 && ranksAbove(value, best[slot - 1] ?? 0); slot--) {
      best[slot] = best[slot - 1] ?? 0;
      ids[start + slot] = ids[start + slot - 1] ?? 0;
    }
    best[slot] = value;
    ids[start + slot] = e;
  }
}

/** NaN ranks below every number, -inf included. */
function ranksAbove(a: number, b: number): boolean {
  return a > b || (Number.isNaN(b) && !Number.isNaN(a));
}

function weighExperts(scores: Float32Array, options: SelectOptions, out: Selection, start: number): void {
  const { topkIds, topkWeights } = out;
  const end = start + options.nExpertsAct;
  // The chosen logits are in descending order: the first one is the softmax's maximum.
  const softmax = options.softmaxAfterTopk === true;
  const max = softmax ? (scores[topkIds[start] ?? 0] ?? 0) : 0;
  let sum = 0;
  for (let i = start; i < end; i++) {
    const score = scores[topkIds[i] ?? 0] ?? 0;
    const weight = softmax ? Math.exp(score - max) : score;
    topkWeights[i] = weight;
    sum += weight;
  }
  const divisor = options.renormalize || softmax ? sum + (softmax ? 0 : RENORMALIZE_EPSILON) : 1;
  for (let i = start; i < end; i++) topkWeights[i] = ((topkWeights[i] ?? 0) / divisor) * options.scale;
}
