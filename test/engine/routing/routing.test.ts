import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareRoutingData } from "../../../engine/routing/compare-routing-data.ts";
import {
  createRoutingData,
  expertHistogram,
  expertOffsets,
  fusedRoutingFromTopk,
  placeEntries,
} from "../../../engine/routing/fused.ts";
import { checkRoutingData } from "../../../engine/routing/invariants.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../../../engine/routing/routing-data.ts";
import { ROUTING } from "../../../engine/routing/routing.ts";
import { UserError } from "../../../errors.ts";
import { anyRecipe, makeInput, SPREADS } from "./inputs.ts";

const CLEAN = { violationCount: 0, violations: [] };

/** Routing data written as slowly and plainly as possible: for each expert, its entries in the order of the flat index. */
function naive({ topkIds, topkWeights, nExpertsTot, expertMap }: RoutingInput<WeightArray>): {
  hist: number[];
  topkIndx: number[];
  gateScal: number[];
} {
  const entries = Array.from(topkIds, (id, flat) => {
    const local = expertMap === undefined ? id : id in expertMap ? (expertMap[id] ?? -1) : -1;
    return { flat, expert: Math.max(local, 0), weight: local < 0 ? 0 : (topkWeights[flat] ?? NaN) };
  });
  const buckets = Array.from({ length: nExpertsTot }, (_, e) => entries.filter(({ expert }) => expert === e));
  return {
    hist: buckets.map((bucket) => bucket.length),
    topkIndx: buckets.flat().map(({ flat }) => flat),
    gateScal: buckets.flat().map(({ weight }) => weight),
  };
}

describe("any input", () => {
  test("the fused chain is the stable bucket order of the slots", () => {
    fc.assert(
      fc.property(anyRecipe, (recipe) => {
        const input = makeInput({ ...recipe, nTokens: recipe.nTokens % 40 });
        const { hist, topkIndx, gateIndx, gateScal } = ROUTING.fused(input);
        const expected = naive(input);
        expect([...hist]).toEqual(expected.hist);
        expect([...topkIndx]).toEqual(expected.topkIndx);
        expect([...gateScal]).toEqual(expected.gateScal);
        expect([...gateIndx].map((position) => topkIndx[position])).toEqual([...topkIndx.keys()]);
      }),
    );
  });

  test("both chains keep every invariant and agree with each other", () => {
    fc.assert(
      fc.property(anyRecipe, (recipe) => {
        const input = makeInput(recipe);
        const halfFormat = recipe.weights === "f16" ? "f16" : "bf16";
        const reference = ROUTING.reference(input);
        const fused = ROUTING.fused(input);
        expect(checkRoutingData(input, reference, "row-sorted", { halfFormat })).toMatchObject(CLEAN);
        expect(checkRoutingData(input, fused, "slot", { halfFormat })).toMatchObject(CLEAN);
        expect(compareRoutingData(reference, fused, recipe.nExpertsAct, { halfFormat })).toMatchObject(CLEAN);
        expect(fused.gateScal.constructor).toBe(input.topkWeights.constructor);
        expect(reference.gateScal.constructor).toBe(input.topkWeights.constructor);
      }),
    );
  });

  test("routing changes neither its input nor its answer on a second run", () => {
    fc.assert(
      fc.property(anyRecipe, (recipe) => {
        const input = makeInput(recipe);
        for (const routing of Object.values(ROUTING)) expect(routing(input)).toEqual(routing(input));
        expect(input).toEqual(makeInput(recipe));
      }),
      { numRuns: 30 },
    );
  });
});

describe("the kernel's old limit of 4096 entries", () => {
  test.each([
    [511, 8, 384],
    [512, 8, 384],
    [513, 8, 384],
    [682, 6, 256],
    [683, 6, 256],
    [2048, 8, 512],
  ])("does not show at N = %i, K = %i, E = %i", (nTokens, nExpertsAct, nExpertsTot) => {
    for (const spread of SPREADS) {
      const input = makeInput({ nTokens, nExpertsAct, nExpertsTot, spread, weights: "f32", seed: 7, localShare: 1 });
      const fused = ROUTING.fused(input);
      expect(checkRoutingData(input, fused, "slot")).toMatchObject(CLEAN);
      expect(compareRoutingData(ROUTING.reference(input), fused, nExpertsAct)).toMatchObject(CLEAN);
    }
  });
});

describe("by hand", () => {
  const input = {
    topkIds: Int32Array.of(2, 0, 1, 2, 0, 2),
    topkWeights: Float32Array.of(0.7, 0.3, 0.6, 0.4, 0.8, 0.2),
    nTokens: 3,
    nExpertsAct: 2,
    nExpertsTot: 4,
  };

  test("reference: the flat index counts ranks of the sorted row", () => {
    expect(ROUTING.reference(input)).toEqual<RoutingData>({
      hist: Int32Array.of(2, 1, 3, 0),
      topkIndx: Int32Array.of(0, 4, 2, 1, 3, 5),
      gateIndx: Int32Array.of(0, 3, 2, 4, 1, 5),
      gateScal: Float32Array.of(0.3, 0.8, 0.6, 0.7, 0.4, 0.2),
    });
  });

  test("fused: the flat index counts slots", () => {
    expect(ROUTING.fused(input)).toEqual<RoutingData>({
      hist: Int32Array.of(2, 1, 3, 0),
      topkIndx: Int32Array.of(1, 4, 2, 0, 3, 5),
      gateIndx: Int32Array.of(3, 0, 2, 4, 1, 5),
      gateScal: Float32Array.of(0.3, 0.8, 0.6, 0.7, 0.4, 0.2),
    });
  });

  test("the three phases are the fused chain", () => {
    const out = createRoutingData(input);
    const offsets = expertOffsets(expertHistogram(input, out.hist));
    expect([...offsets]).toEqual([0, 2, 3, 6]);
    expect(placeEntries(input, offsets, out)).toEqual(ROUTING.fused(input));
    expect([...offsets]).toEqual([2, 3, 6, 6]);
  });

  test("given buffers are filled, whatever they held, and must fit", () => {
    const out = createRoutingData(input);
    for (const values of Object.values(out)) values.fill(9);
    expect(fusedRoutingFromTopk(input, out)).toBe(out);
    expect(out).toEqual(ROUTING.fused(input));
    for (const array of ["hist", "topkIndx", "gateIndx", "gateScal"] as const) {
      const short = { ...out, [array]: out[array].slice(1) };
      expect(() => fusedRoutingFromTopk(input, short)).toThrow(RangeError);
    }
  });

  test("an expert map: what is not on this rank gets weight 0 in bucket 0", () => {
    // Expert 2 is local expert 1, expert 1 is local expert 0; 0, and an id outside of the map, are elsewhere.
    const mapped = {
      ...input,
      nExpertsTot: 2,
      expertMap: Int32Array.of(-1, 0, 1),
      topkIds: Int32Array.of(2, 0, 1, 2, 9, -1),
    };
    const fused = ROUTING.fused(mapped);
    expect(fused.hist).toEqual(Int32Array.of(4, 2));
    expect(fused.topkIndx).toEqual(Int32Array.of(1, 2, 4, 5, 0, 3));
    expect(fused.gateScal).toEqual(Float32Array.of(0, 0.6, 0, 0, 0.7, 0.4));
    const reference = ROUTING.reference(mapped);
    expect(reference.hist).toEqual(fused.hist);
    expect(compareRoutingData(reference, fused, 2)).toMatchObject(CLEAN);
  });
});

describe.each(Object.entries(ROUTING))("bad input to %s", (_, routing) => {
  const good = {
    topkIds: Int32Array.of(0, 1, 2, 3),
    topkWeights: new Float32Array(4),
    nTokens: 2,
    nExpertsAct: 2,
    nExpertsTot: 4,
  };
  test.each<[string, Partial<RoutingInput>, RegExp]>([
    ["an id beyond the experts", { nExpertsTot: 3 }, /Token 1, slot 1: expert id 3 is outside \[0, 3\)/],
    ["a negative id", { topkIds: Int32Array.of(0, -1, 2, 3) }, /Token 0, slot 1: expert id -1 is outside \[0, 4\)/],
    [
      "a map beyond the experts",
      { expertMap: Int32Array.of(0, 1, 4, 0) },
      /Token 1, slot 0: expert id 2 \(mapped to local expert 4\)/,
    ],
    ["too few ids", { topkIds: new Int32Array(3) }, /needs 4 ids and weights; found 3 and 4/],
    ["too few weights", { topkWeights: new Float32Array(3) }, /needs 4 ids and weights; found 4 and 3/],
    ["a size that is no count", { nTokens: -2, nExpertsAct: -2 }, /non-negative sizes; found n_tokens -2/],
    ["no experts at all", { nExpertsTot: 0 }, /at least one expert|outside \[0, 0\)/],
  ])("%s: a UserError that says where", (__, change, message) => {
    expect(() => routing({ ...good, ...change })).toThrow(UserError);
    expect(() => routing({ ...good, ...change })).toThrow(message);
  });

  test("no tokens is an empty answer", () => {
    const empty = routing({ ...good, topkIds: new Int32Array(0), topkWeights: new Float32Array(0), nTokens: 0 });
    expect(empty.hist).toEqual(new Int32Array(4));
    expect(empty.gateScal).toEqual(new Float32Array(0));
  });
});
