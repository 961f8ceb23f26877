import { describe, expect, it } from "vitest";
import { bcaInterval, bootstrap } from "../../metrics/bootstrap.ts";

const mean =
  (values: readonly number[]) =>
  (docs: Uint32Array): number => {
    let sum = 0;
    for (const doc of docs) sum += values[doc]!;
    return sum / docs.length;
  };

function estimated(result: ReturnType<typeof bootstrap>): Extract<typeof result, { kind: "estimated" }> {
  if (result.kind !== "estimated") throw new Error(result.kind);
  return result;
}

describe("bcaInterval", () => {
  // scipy 1.17.1: stats.bootstrap(method="BCa", n_resamples=0) given the means of all 5^5 resamples.
  it.each([
    [0.025, 0.8600000000000001, 6.1922029428022505],
    [0.05, 0.9200000000000002, 5.12],
  ])("is scipy's, at %d on each side", (level, low, high) => {
    const values = [0.3, 1.1, 2.0, 7.5, 0.9];
    const all = Float64Array.from({ length: 5 ** 5 }, (_, code) => {
      const docs = Uint32Array.from({ length: 5 }, (__, digit) => Math.floor(code / 5 ** digit) % 5);
      return mean(values)(docs);
    }).toSorted();
    const leftOut = values.map((_, left) => mean(values)(Uint32Array.from([0, 1, 2, 3, 4].filter((i) => i !== left))));
    const interval = bcaInterval(all, mean(values)(Uint32Array.of(0, 1, 2, 3, 4)), leftOut, level);
    expect(interval.low).toBeCloseTo(low, 8);
    expect(interval.high).toBeCloseTo(high, 8);
  });

  it("ends at the outermost resample where the estimate lies outside of all", () => {
    expect(bcaInterval(Float64Array.of(1, 2, 3), 0, [1, 2])).toEqual({ low: 1, high: 1 });
    expect(bcaInterval(Float64Array.of(1, 2, 3), 9, [1, 2])).toEqual({ low: 3, high: 3 });
  });
});

describe("bootstrap", () => {
  it("comes to what scipy's comes to", () => {
    // scipy 1.17.1, 200,000 resamples: 9.1798 to 14.5275, standard error 1.3619
    const values = Array.from({ length: 60 }, (_, index) => (index * index) / 100);
    const { low, high, standardError } = estimated(bootstrap({ docs: 60, statistic: mean(values) }));
    expect(Math.abs(low - 9.1798)).toBeLessThan(0.15);
    expect(Math.abs(high - 14.5275)).toBeLessThan(0.15);
    expect(Math.abs(standardError - 1.3619)).toBeLessThan(0.05);
  });

  it("gives the same again for the same seed, and another for another", () => {
    const values = Array.from({ length: 40 }, (_, index) => index ** 1.5);
    const of = (seed: string): unknown => bootstrap({ docs: 40, statistic: mean(values), resamples: 500, seed });
    expect(of("a")).toEqual(of("a"));
    expect(of("a")).not.toEqual(of("b"));
  });

  it("draws every doc alike", () => {
    const drawn = new Float64Array(7);
    const statistic = (docs: Uint32Array): number => {
      for (const doc of docs) drawn[doc]! += 1;
      return docs[0]!;
    };
    bootstrap({ docs: 7, statistic, resamples: 10_000 });
    // 10,000 a doc, give or take 93; the whole and the seven without one add 7.
    for (const count of drawn) expect(Math.abs(count - 10_007)).toBeLessThan(500);
  });

  it("says what too few docs and docs without spread allow", () => {
    expect(bootstrap({ docs: 0, statistic: () => 1 })).toEqual({ kind: "too few docs" });
    expect(bootstrap({ docs: 1, statistic: () => 1 })).toEqual({ kind: "too few docs" });
    expect(bootstrap({ docs: 9, statistic: () => 1, resamples: 50 })).toEqual({ kind: "no spread", estimate: 1 });
    expect(() => bootstrap({ docs: 9, statistic: () => Number.NaN })).toThrow("the statistic of a resample is NaN");
  });

  it("leaves docs out in groups where there are many, to nearly the same interval", () => {
    const values = Array.from({ length: 4000 }, (_, index) => Math.exp((index % 97) / 20));
    const { low, high, standardError, estimate } = estimated(
      bootstrap({ docs: 4000, statistic: mean(values), resamples: 1000 }),
    );
    expect(low).toBeGreaterThan(estimate - 2.4 * standardError);
    expect(high).toBeLessThan(estimate + 2.4 * standardError);
  });
});
