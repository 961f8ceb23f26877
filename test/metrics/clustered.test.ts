import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusteredDifference, clusteredMean } from "../../metrics/clustered.ts";
import { exactMatch } from "../../metrics/exact-match.ts";
import { pairedDifference } from "../../metrics/paired.ts";

const score = fc.constantFrom<0 | 1>(0, 1);

describe("clusteredMean", () => {
  it("is statsmodels' clustered standard error", () => {
    // statsmodels 0.15.0: OLS(y, 1).fit(cov_type="cluster", cov_kwds={"groups": doc, "use_correction": True})
    expect(clusteredMean([[1, 1, 0], [0, 0], [1], [1, 0, 1, 1], [0, 0, 0]])).toEqual({
      docs: 5,
      answers: 13,
      estimate: {
        kind: "estimated",
        mean: expect.closeTo(0.4615384615384618, 14) as number,
        standardError: expect.closeTo(0.18781739938584485, 14) as number,
      },
    });
  });

  it("is lm-eval's where each doc was asked once, and repeating every answer adds nothing", () => {
    fc.assert(
      fc.property(fc.array(score, { minLength: 2, maxLength: 100 }), fc.integer({ min: 1, max: 5 }), (all, repeats) => {
        const { estimate } = clusteredMean(all.map((each) => Array.from({ length: repeats }, () => each)));
        const once = exactMatch(all).estimate;
        if (estimate.kind !== "estimated" || once.kind !== "estimated") throw new Error(estimate.kind);
        expect(estimate.mean).toBeCloseTo(once.mean, 12);
        expect(estimate.standardError).toBeCloseTo(once.standardError, 12);
      }),
    );
  });

  it("says what too few docs allow, leaves out docs without an answer, and refuses NaN", () => {
    expect(clusteredMean([])).toEqual({ docs: 0, answers: 0, estimate: { kind: "no docs" } });
    expect(clusteredMean([[], [1, 0]])).toEqual({ docs: 1, answers: 2, estimate: { kind: "one doc", mean: 0.5 } });
    expect(() => clusteredMean([[Number.NaN], [1]])).toThrow("a score is NaN");
  });
});

describe("clusteredDifference", () => {
  it("is the paired difference where each doc was asked once", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(score, score), { minLength: 2, maxLength: 100 }), (all) => {
        const [a, b] = [all.map(([x]) => x), all.map(([, x]) => x)];
        const { docs, estimate } = clusteredDifference(
          a.map((x) => [x]),
          b.map((x) => [x]),
        );
        const { difference } = pairedDifference(a, b);
        expect(docs).toBe(all.length);
        if (estimate.kind !== "estimated" || difference.kind !== "estimated") return;
        expect(estimate.mean).toBeCloseTo(difference.delta, 12);
        expect(estimate.standardError).toBeCloseTo(difference.standardError, 12);
      }),
    );
  });

  it("takes docs that both answered, each with the same weight", () => {
    const { docs, answers, estimate } = clusteredDifference([[1, 0], [1], [], [1, 1]], [[1, 1, 1, 1], [0], [1], []]);
    expect([docs, answers]).toEqual([2, 8]);
    // Differences 0.5 and -1: mean -0.25, standard deviation 1.0607, over the root of 2.
    expect(estimate).toEqual({ kind: "estimated", mean: -0.25, standardError: expect.closeTo(0.75, 14) as number });
    expect(() => clusteredDifference([[1]], [])).toThrow("1 baseline docs but 0 fused");
  });
});
