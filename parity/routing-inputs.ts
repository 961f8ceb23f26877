/** Makes a case's `topk_ids` and `topk_weights`: logits are drawn, and experts chosen from them as engines choose. */
import seedrandom from "seedrandom";
import { float32ToHalf } from "../engine/half-floats.ts";
import type { RoutingInput, WeightArray } from "../engine/routing/routing-data.ts";
import { type SelectOptions, selectExperts } from "../engine/routing/select-experts.ts";
import type { Load, RoutingCase, WeightDtype } from "./routing-cases.ts";

/** Ranks among which a mapped case's experts are spread. */
const RANKS = 4;

/** Logits drawn per case. Further rows use the same choices, with ids and weights shifted from block to block. */
const MAX_LOGITS = 2 ** 17;

/** Draws a case's input. The same seed and case give the same input, on every machine. */
export function makeRoutingInput(of: RoutingCase, seed: number): RoutingInput<WeightArray> {
  const { nTokens, nExpertsAct, nExpertsTot, load, mapped } = of;
  const uniform = seedrandom.tychei(`routing input ${seed} ${of.name}`);
  const nGlobal = mapped ? nExpertsTot * RANKS : nExpertsTot;
  const rows = Math.min(nTokens, Math.max(1, Math.floor(MAX_LOGITS / nGlobal)));
  const logits = drawLogits(load, rows, nGlobal, nExpertsAct, uniform);
  const chosen = selectExperts(logits, optionsOf(of, rows, nGlobal, uniform));
  const topkIds = new Int32Array(nTokens * nExpertsAct);
  const weights = new Float32Array(nTokens * nExpertsAct);
  for (let flat = 0; flat < topkIds.length; flat++) {
    const token = Math.floor(flat / nExpertsAct);
    const block = Math.floor(token / rows);
    const slot = (flat + block) % nExpertsAct;
    const from = (token % rows) * nExpertsAct;
    const id = chosen.topkIds[from + (flat % nExpertsAct)]!;
    // The load stays what it is for "one set" and "empty experts", which a shift would undo.
    topkIds[flat] = load === "one set" || load === "empty experts" ? id : (id + 7 * block) % nGlobal;
    const weight = chosen.topkWeights[from + slot]!;
    // Engines mask what their padding rows' scores come to.
    weights[flat] = Number.isFinite(weight) ? weight : 0;
  }
  if (load === "duplicates") duplicate(topkIds, nExpertsAct);
  if (load === "padding" && mapped) {
    for (let token = 3; token < nTokens; token += 4) {
      const row = [token * nExpertsAct, (token + 1) * nExpertsAct] as const;
      topkIds.fill(-1, ...row);
      // Nobody wrote them, so they hold anything.
      weights.fill(0.5, ...row);
    }
  }
  const input = { topkIds, topkWeights: toDtype(weights, of.dtype), nTokens, nExpertsAct, nExpertsTot };
  return mapped ? { ...input, expertMap: rankMap(nGlobal, nExpertsTot, uniform) } : input;
}

/** Each scoring function as the models that use it are configured. */
function optionsOf(
  { scoring, nExpertsAct }: RoutingCase,
  nTokens: number,
  nExpertsTot: number,
  uniform: () => number,
): SelectOptions {
  const options = { nTokens, nExpertsTot, nExpertsAct, scoring, renormalize: true, scale: 1 };
  if (scoring === "softmax") return options;
  const correctionBias = Float32Array.from({ length: nExpertsTot }, () => 0.1 * uniform());
  if (scoring === "sqrtsoftplus") return { ...options, correctionBias, scale: 1.5 };
  const grouped = nExpertsTot % 8 === 0 && nExpertsAct <= nExpertsTot / 2;
  return { ...options, correctionBias, scale: 2.5, ...(grouped && { nGroup: 8, topkGroup: 4 }) };
}

/** [rows, E] */
function drawLogits(load: Load, rows: number, nExperts: number, k: number, uniform: () => number): Float32Array {
  const offsets = Float32Array.from({ length: nExperts }, (_, expert) => offsetOf(load, expert, nExperts, k, uniform));
  const logits = new Float32Array(rows * nExperts);
  for (let row = 0; row < rows; row++) {
    const isPadding = load === "padding" && row % 4 === 3;
    const padding = row % 8 === 3 ? -Infinity : NaN;
    for (let expert = 0; expert < nExperts; expert++) {
      const draw = 4 * (uniform() + uniform()) - 4;
      const value = (load === "ties" ? Math.round(draw / 2) : draw) + offsets[expert]!;
      logits[row * nExperts + expert] = isPadding ? padding : value;
    }
  }
  return logits;
}

function offsetOf(load: Load, expert: number, nExperts: number, k: number, uniform: () => number): number {
  switch (load) {
    case "skewed":
      return 6 * uniform() ** 4;
    case "one set":
      // The last K experts: offsets of kernels go wrong at the end. No bias lifts the others' scores to theirs.
      return expert >= nExperts - k ? 4 : -20;
    case "empty experts":
      // Not more than leave K to choose from.
      return expert % 2 === 0 && nExperts >= 2 * k + 2
        ? -60
        : expert === nExperts - 1 && nExperts > 2 * k + 2
          ? -60
          : 0;
    default:
      return 0;
  }
}

function duplicate(ids: Int32Array, k: number): void {
  for (let start = 0; start + k <= ids.length; start += k) ids[start + k - 1] = ids[start]!;
}

/**
 * Global -> local ids of one rank: experts drawn from all over, numbered in the order drawn; -1 for the others. The last
 * expert of all is the rank's last, so that an id of -1 that counts from the end finds one.
 */
function rankMap(nGlobal: number, nLocal: number, uniform: () => number): Int32Array {
  const order = Int32Array.from({ length: nGlobal }, (_, id) => id);
  const map = new Int32Array(nGlobal).fill(-1);
  map[nGlobal - 1] = nLocal - 1;
  for (let local = 0; local < nLocal - 1; local++) {
    const at = local + Math.floor(uniform() * (nGlobal - 1 - local));
    const id = order[at]!;
    order[at] = order[local]!;
    map[id] = local;
  }
  return map;
}

function toDtype(values: Float32Array, dtype: WeightDtype): WeightArray {
  return dtype === "f32" ? values : float32ToHalf(values, dtype);
}
