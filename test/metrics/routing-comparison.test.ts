import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HistogramAccumulator, mergeHistograms, quantile } from "../../metrics/difference-histogram.ts";
import { PositionTally } from "../../metrics/position-tally.ts";
import { RoutingComparison } from "../../metrics/routing-comparison.ts";
import type { RoutingDetail } from "../../metrics/routing-comparison.ts";
import type { RoutingParity } from "../../metrics/routing-parity.ts";

interface Case {
  readonly docs: readonly number[];
  readonly a: readonly (readonly (readonly number[])[])[];
  readonly b: readonly (readonly (readonly number[])[])[];
  readonly margins: readonly (readonly number[])[];
}

const K = 3;
const LAYERS = [1, 4];

/** Few experts and tokens, so that sets agree, differ and follow from one another all the time. */
const cases: fc.Arbitrary<Case> = fc
  .array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 })
  .chain((docs) => {
    const tokens = docs.reduce((sum, length) => sum + length, 0);
    const row = fc.shuffledSubarray([0, 1, 2, 3], { minLength: K, maxLength: K });
    const layer = fc.array(row, { minLength: tokens, maxLength: tokens });
    const both = fc.array(layer, { minLength: LAYERS.length, maxLength: LAYERS.length });
    const margin = fc.array(fc.constantFrom(0, 1), { minLength: tokens, maxLength: tokens });
    return fc.record({
      docs: fc.constant(docs),
      a: both,
      b: both,
      margins: fc.array(margin, { minLength: LAYERS.length, maxLength: LAYERS.length }),
    });
  });

/** Compared in blocks of so many tokens. */
function compare({ docs, a, b, margins }: Case, blockTokens: number): { parity: RoutingParity; detail: RoutingDetail } {
  const comparison = new RoutingComparison({ layers: LAYERS, k: K, marginsKnown: true, nearTieMargin: 0.5 });
  const places = docs.flatMap((length, docId) => Array.from({ length }, (_, position) => ({ docId, position })));
  for (let from = 0; from < places.length; from += blockTokens) {
    const block = places.slice(from, from + blockTokens);
    const runs = block.flatMap(({ docId, position }, start) => {
      if (start > 0 && position > 0) return [];
      const rest = block.slice(start).findIndex((other) => other.docId !== docId);
      return [{ docId, position, start, end: rest < 0 ? block.length : start + rest, begins: position === 0 }];
    });
    comparison.beginBlock(runs);
    for (const index of LAYERS.keys()) {
      const rows = (of: Case["a"]) => {
        const ids = Uint8Array.from(of[index]!.slice(from, from + blockTokens).flat());
        return { ids, weights: Float32Array.from(ids), margins: margins[index]!.slice(from, from + blockTokens) };
      };
      comparison.compareLayer(index, rows(a), rows(b));
    }
    comparison.endBlock();
  }
  return { parity: comparison.parity(), detail: comparison.detail() };
}

/** The rules, token by token, without anything that makes it fast. */
function causesByDefinition({ docs, a, b, margins }: Case): { causes: string[][]; jaccard: number[] } {
  const jaccard = LAYERS.map(() => 0);
  const causes: string[][] = LAYERS.map(() => []);
  let start = 0;
  for (const length of docs) {
    for (let token = start; token < start + length; token++) {
      for (const index of LAYERS.keys()) {
        const [one, two] = [new Set(a[index]![token]), new Set(b[index]![token])];
        const common = [...one].filter((id) => two.has(id)).length;
        jaccard[index]! += common / (one.size + two.size - common);
        if (common === K) continue;
        const earlier = causes
          .slice(0, index)
          .some((layer) => layer.some((at) => Number(at.split(" ")[0]) <= token && Number(at.split(" ")[0]) >= start));
        const tie = common === K - 1 && margins[index]![token]! <= 0.5;
        causes[index]!.push(`${token} ${earlier ? "downstream" : tie ? "near-tie" : "unexplained"}`);
      }
    }
    start += length;
  }
  return { causes, jaccard };
}

describe("RoutingComparison", () => {
  test("gives each mismatch the cause that it has by definition, however the tokens are cut into blocks", () => {
    fc.assert(
      fc.property(cases, fc.integer({ min: 1, max: 7 }), (given, blockTokens) => {
        const { parity, detail } = compare(given, blockTokens);
        const { causes, jaccard } = causesByDefinition(given);
        const counted = (index: number, cause: string): number =>
          causes[index]!.filter((at) => at.endsWith(cause)).length;
        for (const index of LAYERS.keys()) {
          expect(parity.layers[index]).toMatchObject({
            nearTies: counted(index, "near-tie"),
            downstream: counted(index, "downstream"),
            unexplained: counted(index, "unexplained"),
          });
          expect(detail.layers[index]!.jaccardSum).toBeCloseTo(jaccard[index]!, 9);
        }
        const affected = new Set(causes.flat().map((at) => at.split(" ")[0]));
        expect(parity.tokensAffected).toBe(affected.size);
        // Where there is no block end in a doc, and where there are many: all the same.
        expect({ parity, detail }).toEqual(compare(given, 1000));
      }),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe("the distribution of differences", () => {
  test("gives quantiles to an eighth, and merges", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.float({ min: 0, max: 10, noNaN: true })), { minLength: 1 }),
        (values) => {
          const [one, two, all] = [new HistogramAccumulator(), new HistogramAccumulator(), new HistogramAccumulator()];
          for (const [at, value] of values.entries()) {
            all.add(value);
            (at % 2 === 0 ? one : two).add(value);
          }
          expect(mergeHistograms([one.result(), two.result()])).toEqual(all.result());
          const sorted = values.toSorted((a, b) => a - b);
          for (const q of [0.1, 0.5, 0.99, 1]) {
            const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
            const found = quantile(all.result(), q);
            expect(found).toBeGreaterThanOrEqual(exact);
            // The smallest float32s are all in one bin.
            expect(found).toBeLessThanOrEqual(Math.max(exact * 1.125, 2 ** -126));
          }
        },
      ),
      { seed: 4 },
    );
  });

  test("what is too small for a float32 is still not equal", () => {
    const histogram = new HistogramAccumulator();
    histogram.add(1e-300);
    expect(quantile(histogram.result(), 0.5)).toBeGreaterThan(0);
    expect(quantile(new HistogramAccumulator().result(), 0.5)).toBe(0);
  });
});

describe("PositionTally", () => {
  test("counts each position in its bucket, however the tokens came", () => {
    const tally = new PositionTally();
    tally.addTokens(0, 10);
    tally.addTokens(10, 7);
    tally.addTokens(0, 1);
    tally.addMismatch(3, "unexplained");
    const mismatches = { mismatched: 0, nearTies: 0, downstream: 0, unexplained: 0 };
    expect(tally.result(2)).toEqual([
      { from: 0, to: 1, choices: 4, ...mismatches },
      { from: 1, to: 2, choices: 2, ...mismatches },
      { from: 2, to: 4, choices: 4, ...mismatches, mismatched: 1, unexplained: 1 },
      { from: 4, to: 8, choices: 8, ...mismatches },
      { from: 8, to: 16, choices: 16, ...mismatches },
      { from: 16, to: 32, choices: 2, ...mismatches },
    ]);
  });
});
