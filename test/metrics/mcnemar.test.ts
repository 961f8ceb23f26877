import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holm } from "../../metrics/holm.ts";
import { gainMidP, lossMidP, mcnemar } from "../../metrics/mcnemar.ts";

describe("mcnemar", () => {
  // Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91 (2013): 0.070 and 0.039; 0.053 and 0.035. To
  // all digits and for the other tables: statsmodels 0.15.0, mcnemar(exact=True), and scipy 1.17.1, stats.binom.
  it.each([
    [7, 1, 0.0703125, 0.0390625],
    [6, 16, 0.052478790283203125, 0.03468966484069824],
    [31, 17, 0.05946337525377034, 0.0443841609871498],
    [1200, 1100, 0.03896685268382023, 0.037074406338548235],
    [0, 12, 0.00048828125, 0.000244140625],
    [6, 0, 0.03125, 0.015625],
    [5, 5, 1, 1],
    [0, 0, 1, 1],
  ])("%d only baseline, %d only fused", (onlyBaseline, onlyFused, exact, midP) => {
    const result = mcnemar({ onlyBaseline, onlyFused });
    expect(result.exact).toBeCloseTo(exact, 10);
    expect(result.midP).toBeCloseTo(midP, 10);
  });

  it("has two sides that make one", () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), (onlyBaseline, onlyFused) => {
        const pairs = { onlyBaseline, onlyFused };
        expect(lossMidP(pairs) + gainMidP(pairs)).toBeCloseTo(1, 9);
        expect(mcnemar(pairs).midP).toBeCloseTo(2 * Math.min(lossMidP(pairs), gainMidP(pairs)), 9);
        expect(mcnemar(pairs).midP).toBeLessThanOrEqual(mcnemar(pairs).exact);
      }),
    );
  });
});

describe("holm", () => {
  // statsmodels 0.15.0: multipletests(p, method="holm")
  it.each([
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    [
      [0.2, 0.2],
      [0.4, 0.4],
    ],
    [
      [0.9, 0.001, 0.5],
      [1, 0.003, 1],
    ],
    [[0.02], [0.02]],
    [[], []],
  ])("%j", (given, adjusted) => {
    const result = holm(given);
    expect(result).toHaveLength(adjusted.length);
    for (const [index, p] of adjusted.entries()) expect(result[index]).toBeCloseTo(p, 14);
  });
});
