/** Each fault must be found, under its own name: a check that cannot fail would prove nothing about a kernel. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type CompareOptions,
  compareRoutingData,
  type RoutingComparison,
} from "../../../engine/routing/compare-routing-data.ts";
import { checkRoutingData, type FlatIndex } from "../../../engine/routing/invariants.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../../../engine/routing/routing-data.ts";
import { ROUTING } from "../../../engine/routing/routing.ts";
import type { Invariant, InvariantReport } from "../../../engine/routing/violations.ts";
import { anyRecipe, makeInput } from "./inputs.ts";

const input: RoutingInput = {
  topkIds: Int32Array.of(2, 0, 1, 2, 0, 2),
  topkWeights: Float32Array.of(0.7, 0.3, 0.6, 0.4, 0.8, 0.2),
  nTokens: 3,
  nExpertsAct: 2,
  nExpertsTot: 4,
};

type Faulty = { -readonly [Key in keyof RoutingData]: RoutingData[Key] };

function swap(values: Int32Array | Float32Array, a: number, b: number): void {
  [values[a], values[b]] = [values[b] ?? 0, values[a] ?? 0];
}

/** Routing data that stays consistent with itself, with two positions exchanged. */
function exchange(data: Faulty, a: number, b: number): void {
  swap(data.topkIndx, a, b);
  swap(data.gateScal, a, b);
  data.topkIndx.forEach((flat, position) => (data.gateIndx[flat] = position));
}

function found(report: InvariantReport): Invariant[] {
  expect(report.violationCount).toBe(report.violations.length);
  return [...new Set(report.violations.map(({ invariant }) => invariant))].toSorted();
}

describe.each<[FlatIndex, keyof typeof ROUTING]>([
  ["slot", "fused"],
  ["row-sorted", "reference"],
])("faults in %s routing data", (flatIndex, name) => {
  const isSlot = flatIndex === "slot";
  const check = (change: (data: Faulty) => void): InvariantReport => {
    const data = ROUTING[name](input);
    change(data);
    return checkRoutingData(input, data, flatIndex);
  };

  test("none: nothing is reported, and every check was made", () => {
    const report = check(() => undefined);
    expect(found(report)).toEqual([]);
    // 7 arrays, 4 + 1 histogram, 2 x 6 permutation, 6 buckets, 6 weights (and 6 more in slot order), 3 tokens.
    expect(report.checked).toBe(isSlot ? 45 : 39);
  });

  test.each<[string, (data: Faulty) => void, Invariant[], Invariant[]]>([
    ["an entry too many in a bucket", ({ hist }) => (hist[1] = 2), ["hist", "hist_sum"], []],
    ["an entry counted for another expert", ({ hist }) => hist.set([3, 0], 0), ["hist"], []],
    ["two entries exchanged across experts", (data) => exchange(data, 1, 4), ["bucket", "multiset"], []],
    ["weights exchanged across experts", ({ gateScal }) => swap(gateScal, 1, 4), ["multiset"], ["gate_scal"]],
    ["weights exchanged inside an expert", ({ gateScal }) => swap(gateScal, 0, 1), ["multiset"], ["gate_scal"]],
    ["a weight that is off by one bit", ({ gateScal }) => (gateScal[2] = 0.6 + 6e-8), ["multiset"], ["gate_scal"]],
    ["a weight that is NaN", ({ gateScal }) => (gateScal[2] = NaN), ["finite", "multiset"], ["gate_scal"]],
    ["a weight that is infinite", ({ gateScal }) => (gateScal[2] = Infinity), ["finite", "multiset"], ["gate_scal"]],
    ["a position that points back wrongly", ({ gateIndx }) => swap(gateIndx, 0, 1), ["inverse"], []],
    ["an index beyond the entries", ({ topkIndx }) => (topkIndx[5] = 6), ["multiset", "permutation"], []],
    ["a negative index", ({ topkIndx }) => (topkIndx[5] = -1), ["multiset", "permutation"], []],
    ["too few positions", (data) => (data.topkIndx = data.topkIndx.slice(1)), ["length"], []],
    ["too few experts", (data) => (data.hist = data.hist.slice(1)), ["length"], []],
    ["too few weights", (data) => (data.gateScal = data.gateScal.slice(1)), ["length"], []],
    ["too few flat indices", (data) => (data.gateIndx = data.gateIndx.slice(1)), ["length"], []],
  ])("%s", (_, change, always, inSlotOrder) => {
    expect(found(check(change))).toEqual([...always, ...(isSlot ? inSlotOrder : [])].toSorted());
  });

  test("an entry routed twice and another never", () => {
    const invariants = found(check(({ topkIndx }) => (topkIndx[5] = topkIndx[4] ?? 0)));
    expect(invariants).toContain("permutation");
    expect(invariants).toContain("multiset");
  });

  test("a dtype that changed", () => {
    const data = ROUTING[name](input);
    const widened: RoutingData<WeightArray> = { ...data, gateScal: Float64Array.from(data.gateScal) };
    expect(found(checkRoutingData<WeightArray>(input, widened, flatIndex))).toEqual(["dtype"]);
  });

  test("the violation says where, what was expected and what was found", () => {
    expect(check(({ hist }) => (hist[1] = 2)).violations[0]).toEqual({
      invariant: "hist",
      expert: 1,
      expected: "1",
      found: "2",
    });
  });
});

describe("judging", () => {
  test("slot-order data read as row-sorted, and the other way round, is noticed", () => {
    expect(found(checkRoutingData(input, ROUTING.fused(input), "row-sorted"))).toContain("bucket");
    expect(found(checkRoutingData(input, ROUTING.reference(input), "slot"))).toContain("bucket");
  });

  test("an expert on another rank must have weight 0", () => {
    const mapped = { ...input, nExpertsTot: 2, expertMap: Int32Array.of(-1, 0, 1) };
    const data = ROUTING.fused(mapped);
    expect(found(checkRoutingData(mapped, data, "slot"))).toEqual([]);
    data.gateScal[0] = 0.3;
    expect(found(checkRoutingData(mapped, data, "slot"))).toEqual(["gate_scal", "multiset"]);
  });

  test("the bits of half weights are read in the format that was said", () => {
    // 0x7c01 is a NaN in f16 and a large finite number in bf16.
    const half = { ...input, topkWeights: new Uint16Array(6).fill(0x7c01) };
    expect(found(checkRoutingData(half, ROUTING.fused(half), "slot", { halfFormat: "f16" }))).toEqual(["finite"]);
    expect(found(checkRoutingData(half, ROUTING.fused(half), "slot", { halfFormat: "bf16" }))).toEqual([]);
    const nan = { ...input, topkWeights: new Uint16Array(6).fill(0x7fc0) };
    expect(found(checkRoutingData(nan, ROUTING.fused(nan), "slot"))).toEqual(["finite"]);
  });

  test("the list is bounded but for the first of each invariant, the count is not", () => {
    const data = ROUTING.fused(input);
    data.gateScal.fill(NaN);
    const report = checkRoutingData(input, data, "slot", { maxViolations: 3 });
    expect(report.violations.map(({ invariant }) => invariant)).toEqual(["finite", "gate_scal", "finite", "multiset"]);
    expect(report.violationCount).toBe(6 + 6 + 3);
  });

  test("any single change of any array is noticed", () => {
    fc.assert(
      fc.property(
        anyRecipe.filter(({ nTokens }) => nTokens > 0),
        fc.constantFrom("hist", "topkIndx", "gateIndx", "gateScal"),
        fc.constantFrom<FlatIndex>("slot", "row-sorted"),
        fc.nat(),
        fc.integer({ min: -3, max: 3 }).filter((delta) => delta !== 0),
        (recipe, array, flatIndex, at, delta) => {
          const routed = makeInput({ ...recipe, nTokens: recipe.nTokens % 20 || 1 });
          const data = ROUTING[flatIndex === "slot" ? "fused" : "reference"](routed);
          const values = data[array];
          values[at % values.length] = (values[at % values.length] ?? 0) + delta;
          expect(checkRoutingData(routed, data, flatIndex).violationCount).toBeGreaterThan(0);
        },
      ),
    );
  });
});

/** The reference chain's data against the fused chain's, after a fault was put into the latter. */
function compareWithFault(change: (data: Faulty) => void, options: CompareOptions = {}): RoutingComparison {
  const fused = ROUTING.fused(input);
  change(fused);
  return compareRoutingData<Float32Array>(ROUTING.reference(input), fused, input.nExpertsAct, options);
}

function changeOneWeight({ gateScal }: Faulty): void {
  gateScal[2] = 0.6001;
}

describe("comparing two implementations", () => {
  test("the order inside an expert is free", () => {
    expect(compareWithFault((data) => exchange(data, 3, 5))).toMatchObject({
      violationCount: 0,
      maxWeightDifference: 0,
    });
  });

  test.each<[string, (data: Faulty) => void, Invariant[]]>([
    ["an entry in another expert's bucket", (data) => exchange(data, 1, 4), ["multiset"]],
    ["a weight that is off by one bit", ({ gateScal }) => (gateScal[2] = 0.6 + 6e-8), ["multiset"]],
    ["a weight that is NaN", ({ gateScal }) => (gateScal[2] = NaN), ["multiset"]],
    ["an expert with one entry too many", ({ hist }) => (hist[3] = 1), ["hist"]],
    ["an entry routed twice", ({ topkIndx }) => (topkIndx[1] = topkIndx[0] ?? 0), ["permutation"]],
    ["fewer entries", (data) => Object.assign(data, ROUTING.fused({ ...input, ...firstToken })), ["length"]],
  ])("%s", (_, change, expected) => {
    expect(found(compareWithFault(change))).toEqual(expected);
  });
  const firstToken = { topkIds: Int32Array.of(2, 0), topkWeights: Float32Array.of(0.7, 0.3), nTokens: 1 };

  test("tokens that changed places are noticed even where all weights are equal", () => {
    const even = { ...input, topkWeights: new Float32Array(6).fill(0.5) };
    const fused = ROUTING.fused(even);
    exchange(fused, 1, 4);
    expect(found(compareRoutingData(ROUTING.reference(even), fused, 2))).toEqual(["multiset"]);
  });

  test("a tolerance admits small differences and reports the largest", () => {
    const within = compareWithFault(changeOneWeight, { weightTolerance: 1e-3 });
    expect(found(within)).toEqual([]);
    expect(within.maxWeightDifference).toBeCloseTo(1e-4, 6);
    expect(found(compareWithFault(changeOneWeight, { weightTolerance: 1e-5 }))).toEqual(["multiset"]);
  });
});
