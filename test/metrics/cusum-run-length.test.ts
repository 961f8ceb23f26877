import { describe, expect, it } from "vitest";
import { cusumRunLength, cusumThreshold } from "../../metrics/cusum-run-length.ts";

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
