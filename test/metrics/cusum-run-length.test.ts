import { describe, expect, it } from "vitest";
import { cusumRunLength, cusumThreshold } from "../../metrics/cusum-run-length.ts";
import { gaussianCdf, gaussianQuantile } from "../../metrics/gaussian.ts";

describe("the standard normal distribution", () => {
  // R: pnorm
  it.each([
    [0, 0.5],
    [1, 0.841344746068543],
    [-1.959963984540054, 0.025],
    [-5, 2.866515718791939e-7],
    [6, 0.999999999013412],
    [-8, 6.220960574271785e-16],
  ])("at %d", (z, p) => {
    expect(Math.abs(gaussianCdf(z) / p - 1)).toBeLessThan(1e-12);
  });

  // R: qnorm
  it.each([
    [0.975, 1.959963984540054],
    [0.0125, -2.241402727604947],
    [1e-9, -5.997807015007687],
  ])("quantile of %d", (p, z) => {
    expect(gaussianQuantile(p)).toBeCloseTo(z, 8);
  });

  it("has no quantile at 0 and 1", () => {
    expect(() => gaussianQuantile(0)).toThrow(RangeError);
    expect(() => gaussianQuantile(1)).toThrow(RangeError);
  });
});

describe("the mean run length of a one-sided CUSUM", () => {
  // Hawkins and Olwell, Cumulative Sum Charts (1998), and Montgomery, Statistical Quality Control, table 9.3 (two-sided: half).
  it.each([
    [4, 335.37],
    [5, 930.89],
  ])("threshold %d, allowance 0.5", (threshold, nights) => {
    expect(cusumRunLength(threshold)).toBeCloseTo(nights, 2);
  });

  it("has an inverse", () => {
    expect(cusumThreshold(930.887)).toBeCloseTo(5, 4);
    expect(cusumThreshold(335.368)).toBeCloseTo(4, 4);
  });

  it("refuses what cannot be had", () => {
    expect(() => cusumThreshold(5)).toThrow("5 nights");
    expect(() => cusumThreshold(Number.NaN)).toThrow(RangeError);
  });
});
