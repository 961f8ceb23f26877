import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalCdf, normalQuantile } from "../../metrics/normal.ts";

describe("normalCdf", () => {
  // scipy 1.17.1: stats.norm.cdf(x)
  it.each([
    [-20, 2.7536241186061556e-89],
    [-9, 1.1285884059538324e-19],
    [-7.2, 3.010627981117422e-13],
    [-5, 2.866515718791933e-7],
    [-1.96, 0.024997895148220435],
    [-0.3, 0.3820885778110474],
    [0, 0.5],
    [0.3, 0.6179114221889526],
    [2.5, 0.9937903346742238],
    [6, 0.9999999990134123],
    [40, 1],
  ])("of %d", (x, p) => {
    expect(normalCdf(x) / p).toBeCloseTo(1, 9);
  });
});

describe("normalQuantile", () => {
  // scipy 1.17.1: stats.norm.ppf(p)
  it.each([
    [1e-300, -37.0470962993612],
    [1e-15, -7.941345326170998],
    [1e-5, -4.264890793922825],
    [0.025, -1.9599639845400545],
    [0.5, 0],
    [0.8, 0.8416212335729143],
    [0.9999, 3.719016485455709],
    [0, -Infinity],
    [1, Infinity],
  ])("of %d", (p, x) => {
    if (Number.isFinite(x)) expect(normalQuantile(p)).toBeCloseTo(x, 11);
    else expect(normalQuantile(p)).toBe(x);
  });

  it("undoes the distribution function", () => {
    fc.assert(
      fc.property(fc.double({ min: -8, max: 5, noNaN: true }), (x) => {
        expect(normalQuantile(normalCdf(x))).toBeCloseTo(x, 8);
      }),
    );
  });

  it("refuses what is no probability", () => {
    expect(() => normalQuantile(1.1)).toThrow("a probability is 1.1");
    expect(() => normalQuantile(Number.NaN)).toThrow("NaN");
  });
});
