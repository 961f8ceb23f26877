/** What `selectExperts` may be asked, and what is refused. */
import { UserError } from "../../errors.ts";
import { isCount } from "./routing-input.ts";
import type { ScoringFunction } from "./scores.ts";

export interface SelectOptions {
  /** N: rows of the logits. */
  readonly nTokens: number;
  /** E: columns of the logits. */
  readonly nExpertsTot: number;
  /** K: experts chosen per token, at most E (with groups: at most the experts of the kept groups). */
  readonly nExpertsAct: number;
  readonly scoring: ScoringFunction;
  /** [E], added to the scores to choose experts; the weights stay the unbiased scores. Default: none. */
  readonly correctionBias?: Float32Array | undefined;
  /** Number of equal groups that the experts form, in id order. Default 1. */
  readonly nGroup?: number | undefined;
  /** Groups that are kept before experts are chosen. Default: `nGroup`, that is all. */
  readonly topkGroup?: number | undefined;
  /** Divide each token's weights by (their sum + 1e-20). */
  readonly renormalize: boolean;
  /** Multiplies the weights last, renormalised or not (`routed_scaling_factor`). */
  readonly scale: number;
  /** softmax only: choose by the logits, then take the softmax over the K chosen. Default false. */
  readonly softmaxAfterTopk?: boolean | undefined;
  /** Also give the router margins. Default false: they take a second pass over the scores. */
  readonly margins?: boolean | undefined;
  /** Which of two experts with equal choice scores wins: the lower id (default) or the higher. Also among groups. */
  readonly ties?: "lowest" | "highest" | undefined;
}

export function checkSelectOptions(logits: Float32Array, options: SelectOptions): void {
  const { nTokens, nExpertsTot: total, nExpertsAct: active, correctionBias, nGroup = 1, topkGroup = nGroup } = options;
  if (!isCount(nTokens) || !isCount(total) || logits.length !== nTokens * total) {
    throw new UserError(`Router logits of ${nTokens} x ${total} were expected; found ${logits.length} values.`);
  }
  if (!isCount(nGroup) || nGroup < 1 || total % nGroup !== 0) {
    throw new UserError(`n_group must divide n_expts_tot; found n_group ${nGroup}, n_expts_tot ${total}.`);
  }
  if (!isCount(topkGroup) || topkGroup < 1 || topkGroup > nGroup) {
    throw new UserError(`topk_group must lie between 1 and n_group ${nGroup}; found ${topkGroup}.`);
  }
  const eligible = (total / nGroup) * topkGroup;
  if (!isCount(active) || active > eligible) {
    throw new UserError(`n_expts_act must be at most ${eligible}, the experts that can be chosen; found ${active}.`);
  }
  if (correctionBias !== undefined && correctionBias.length !== total) {
    throw new UserError(`The correction bias needs ${total} values, one per expert; found ${correctionBias.length}.`);
  }
  if (options.softmaxAfterTopk === true && (options.scoring !== "softmax" || correctionBias !== undefined)) {
    throw new UserError("softmaxAfterTopk goes with softmax scoring and no correction bias; drop one of them.");
  }
  if (!Number.isFinite(options.scale))
    throw new UserError(`The weights' scale must be finite; found ${options.scale}.`);
}
