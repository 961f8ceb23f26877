/** What both routing implementations demand of their input, and how an entry that lives on another rank is written. */
import { UserError } from "../../errors.ts";
import type { RoutingInput, WeightArray } from "./routing-data.ts";

/** Checks sizes (not ids) and returns NK. */
export function checkRoutingInput<W extends WeightArray>(input: RoutingInput<W>): number {
  const { nTokens, nExpertsAct, nExpertsTot } = input;
  if (!isCount(nTokens) || !isCount(nExpertsAct) || !isCount(nExpertsTot)) {
    throw new UserError(
      `Routing needs whole, non-negative sizes; found n_tokens ${nTokens}, n_expts_act ${nExpertsAct}, n_expts_tot ${nExpertsTot}.`,
    );
  }
  const nk = nTokens * nExpertsAct;
  if (input.topkIds.length !== nk || input.topkWeights.length !== nk) {
    throw new UserError(
      `Routing of ${nTokens} tokens with ${nExpertsAct} experts each needs ${nk} ids and weights; ` +
        `found ${input.topkIds.length} and ${input.topkWeights.length}.`,
    );
  }
  if (nk > 0 && nExpertsTot === 0) throw new UserError(`Routing of ${nTokens} tokens needs at least one expert.`);
  return nk;
}

/** The error for an id (or what the map made of it) that no bucket exists for. `index` is the flat index token*K + slot. */
export function idOutOfRange<W extends WeightArray>(input: RoutingInput<W>, index: number): UserError {
  const { topkIds, nExpertsAct, nExpertsTot, expertMap } = input;
  const token = Math.floor(index / nExpertsAct);
  const slot = index % nExpertsAct;
  const id = topkIds[index] ?? 0;
  const mapped = expertMap === undefined ? "" : ` (mapped to local expert ${expertMap[id]})`;
  return new UserError(
    `Token ${token}, slot ${slot}: expert id ${id}${mapped} is outside [0, ${nExpertsTot}). ` +
      "Check the selection, n_expts_tot and the expert map.",
  );
}

/** A zeroed array of the same dtype. */
export function zerosLike<W extends WeightArray>(weights: W, length: number): W {
  if (weights instanceof Float32Array) return new Float32Array(length) as W;
  if (weights instanceof Uint16Array) return new Uint16Array(length) as W;
  return new Float64Array(length) as W;
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
