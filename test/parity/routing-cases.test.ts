import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawnCase, fixedCases, LOADS, type RoutingCase, SCORINGS, WEIGHT_DTYPES } from "../../parity/routing-cases.ts";
import { makeRoutingInput } from "../../parity/routing-inputs.ts";

const SEED = 5;
const cases = fixedCases();
const anyCase = fc.oneof(
  fc.constantFrom(...cases),
  fc.tuple(fc.nat(), fc.nat(10_000)).map(([seed, index]) => drawnCase(seed, index)),
);

function has(wanted: Partial<RoutingCase>): boolean {
  return cases.some((each) => Object.entries(wanted).every(([key, value]) => each[key as keyof RoutingCase] === value));
}

describe("the fixed cases", () => {
  it.each(LOADS.map((load) => [load]))(
    "meet %s with every dtype and scoring, with an expert map and without",
    (load) => {
      for (const dtype of WEIGHT_DTYPES) expect(has({ load, dtype }), dtype).toBe(true);
      for (const scoring of SCORINGS) expect(has({ load, scoring }), scoring).toBe(true);
      for (const mapped of [true, false]) expect(has({ load, mapped }), `${mapped}`).toBe(true);
    },
  );

  it("meet every pair of dtype, scoring and map", () => {
    for (const dtype of WEIGHT_DTYPES) {
      for (const scoring of SCORINGS) expect(has({ dtype, scoring })).toBe(true);
      for (const mapped of [true, false]) expect(has({ dtype, mapped })).toBe(true);
    }
  });

  it("reach the ends of what the field has, and both sides of NK = 4096", () => {
    const sizes = (of: (each: RoutingCase) => number): number[] => cases.map(of);
    expect(sizes((c) => c.nTokens)).toEqual(expect.arrayContaining([1, 65536]));
    expect([Math.min(...sizes((c) => c.nExpertsAct)), Math.max(...sizes((c) => c.nExpertsAct))]).toEqual([1, 16]);
    expect([Math.min(...sizes((c) => c.nExpertsTot)), Math.max(...sizes((c) => c.nExpertsTot))]).toEqual([8, 512]);
    expect(sizes((c) => c.nTokens * c.nExpertsAct)).toEqual(expect.arrayContaining([4095, 4096, 4097, 65536]));
  });

  it("are all different", () => {
    expect(new Set(cases.map(({ name }) => name)).size).toBeGreaterThan(cases.length * 0.9);
  });
});

describe("any input", () => {
  it("is what its case says, and the same again for the same seed", () => {
    fc.assert(
      fc.property(anyCase, (of) => {
        const input = makeRoutingInput(of, SEED);
        const { topkIds, topkWeights, nExpertsAct, nExpertsTot, expertMap } = input;
        const nGlobal = expertMap?.length ?? nExpertsTot;
        expect(topkIds).toHaveLength(of.nTokens * of.nExpertsAct);
        expect(topkWeights).toHaveLength(topkIds.length);
        expect(of.nExpertsAct).toBeLessThanOrEqual(of.nExpertsTot);
        const lowest = of.mapped && of.load === "padding" ? -1 : 0;
        expect(topkIds.every((id) => id >= lowest && id < nGlobal)).toBe(true);
        if (expertMap !== undefined) {
          const local = expertMap.filter((id) => id >= 0).toSorted();
          expect(local).toEqual(Int32Array.from({ length: nExpertsTot }, (_, id) => id));
        }
        if (of.load !== "duplicates" && lowest === 0) {
          const rows = Math.min(of.nTokens, 50);
          for (let start = 0; start < rows * nExpertsAct; start += nExpertsAct) {
            expect(new Set(topkIds.subarray(start, start + nExpertsAct)).size).toBe(nExpertsAct);
          }
        }
        expect(makeRoutingInput(of, SEED)).toEqual(input);
      }),
      { numRuns: 20 },
    );
  });

  it("has finite weights, so that a NaN is the implementation's", () => {
    for (const of of cases.filter(({ dtype }) => dtype === "f32")) {
      expect(makeRoutingInput(of, SEED).topkWeights.every(Number.isFinite), of.name).toBe(true);
    }
  });

  it("differs from seed to seed", () => {
    const [first] = cases;
    expect(makeRoutingInput(first!, 1)).not.toEqual(makeRoutingInput(first!, 2));
  });
});

describe("a load is what it says", () => {
  const used = (of: RoutingCase): Set<number> => new Set(makeRoutingInput(of, SEED).topkIds);
  const withLoad = (load: RoutingCase["load"]): RoutingCase[] =>
    cases.filter((each) => each.load === load && !each.mapped && each.nTokens > 16);

  it("one set: K experts for all tokens", () => {
    for (const of of withLoad("one set")) expect(used(of).size, of.name).toBe(of.nExpertsAct);
  });

  it("empty experts: at least half of them", () => {
    const roomy = withLoad("empty experts").filter((each) => each.nExpertsTot >= 2 * each.nExpertsAct + 2);
    expect(roomy.length).toBeGreaterThan(3);
    for (const of of roomy) expect(used(of).size, of.name).toBeLessThanOrEqual(of.nExpertsTot / 2);
  });

  it("duplicates: an expert twice in every row", () => {
    for (const of of withLoad("duplicates")) {
      const row = makeRoutingInput(of, SEED).topkIds.subarray(0, of.nExpertsAct);
      expect(row[0], of.name).toBe(row.at(-1));
    }
  });

  it("skewed: the busiest expert has a multiple of its share", () => {
    for (const of of withLoad("skewed").filter((each) => each.nTokens > 100 && each.nExpertsAct < 16)) {
      const counts = new Int32Array(of.nExpertsTot);
      for (const id of makeRoutingInput(of, SEED).topkIds) counts[id]!++;
      expect(Math.max(...counts), of.name).toBeGreaterThan((1.3 * of.nTokens * of.nExpertsAct) / of.nExpertsTot);
    }
  });
});
