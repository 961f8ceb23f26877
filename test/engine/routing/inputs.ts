/** Routing inputs of every kind, for property tests. */
import * as fc from "fast-check";
import { float32ToHalf } from "../../../engine/half-floats.ts";
import type { RoutingInput, WeightArray } from "../../../engine/routing/routing-data.ts";

/** Deterministic pseudo-random numbers in [0, 1) (a 32-bit multiply-xorshift generator); enough for test data. */
function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** How the experts of a row are drawn. `repeated` may choose an expert twice in a row; the others only if K > E. */
export const SPREADS = ["uniform", "skewed", "one expert", "few experts", "repeated"] as const;
export type Spread = (typeof SPREADS)[number];

export type WeightKind = "f32" | "f64" | "bf16" | "f16";

export interface Recipe {
  readonly nTokens: number;
  readonly nExpertsAct: number;
  readonly nExpertsTot: number;
  readonly spread: Spread;
  readonly weights: WeightKind;
  readonly seed: number;
  /** Share of the global experts that live on this rank; 1 means no map. */
  readonly localShare: number;
}

export function makeInput(recipe: Recipe): RoutingInput<WeightArray> {
  const { nTokens, nExpertsAct, nExpertsTot, localShare } = recipe;
  const random = randomSource(recipe.seed);
  const isMapped = localShare < 1;
  const nGlobal = isMapped ? Math.ceil(nExpertsTot / localShare) : nExpertsTot;
  const topkIds = new Int32Array(nTokens * nExpertsAct);
  for (let token = 0; token < nTokens; token++) {
    const row = topkIds.subarray(token * nExpertsAct, (token + 1) * nExpertsAct);
    for (let slot = 0; slot < nExpertsAct; slot++) {
      const id = drawExpert(recipe.spread, nGlobal, random);
      const mayRepeat = recipe.spread === "repeated" || nExpertsAct > nGlobal;
      row[slot] = mayRepeat ? id : nextFree(id, nGlobal, row.subarray(0, slot));
    }
  }
  // Coarse weights, so that equal ones are common.
  const values = Float32Array.from(topkIds, () => Math.floor(random() * 64) / 64);
  const input = { topkIds, topkWeights: toKind(values, recipe.weights), nTokens, nExpertsAct, nExpertsTot };
  return isMapped ? { ...input, expertMap: rankMap(nGlobal, nExpertsTot, random) } : input;
}

function nextFree(from: number, nExperts: number, taken: Int32Array): number {
  let id = from;
  while (taken.includes(id)) id = (id + 1) % nExperts;
  return id;
}

function drawExpert(spread: Spread, nExperts: number, random: () => number): number {
  switch (spread) {
    case "skewed":
      return Math.floor(random() ** 6 * nExperts);
    case "one expert":
      return nExperts - 1;
    case "few experts":
      return Math.floor(random() * Math.min(3, nExperts));
    default:
      return Math.floor(random() * nExperts);
  }
}

/** `nLocal` of the global experts, chosen at random, get the local ids 0, 1, ...; the others -1. */
function rankMap(nGlobal: number, nLocal: number, random: () => number): Int32Array {
  const order = Array.from({ length: nGlobal }, (_, id) => ({ id, key: random() })).toSorted((a, b) => a.key - b.key);
  const map = new Int32Array(nGlobal).fill(-1);
  order.slice(0, nLocal).forEach(({ id }, local) => (map[id] = local));
  return map;
}

function toKind(values: Float32Array, kind: WeightKind): WeightArray {
  if (kind === "f32") return values;
  return kind === "f64" ? Float64Array.from(values) : float32ToHalf(values, kind);
}

export const anyRecipe: fc.Arbitrary<Recipe> = fc.record({
  nTokens: fc.oneof(fc.constantFrom(0, 1, 2), fc.integer({ min: 3, max: 700 })),
  nExpertsAct: fc.integer({ min: 1, max: 16 }),
  nExpertsTot: fc.oneof(fc.integer({ min: 1, max: 32 }), fc.constantFrom(64, 256, 384, 512)),
  spread: fc.constantFrom(...SPREADS),
  weights: fc.constantFrom("f32", "f64", "bf16", "f16"),
  seed: fc.nat(),
  localShare: fc.constantFrom(1, 1, 0.5, 0.25),
});
