import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { wilsonInterval } from "../../metrics/wilson.ts";

describe("wilsonInterval", () => {
  // statsmodels 0.15.0: proportion_confint(correct, n, 0.05, "wilson")
  it.each([
    [0, 1, 0, 0.7934506856227627],
    [1, 1, 0.2065493143772374, 1],
    [0, 250, 0, 0.01513329949544458],
    [231, 250, 0.8843586026895993, 0.9508083593382637],
    [96, 100, 0.9016292856411208, 0.9843366960084523],
    [990, 1319, 0.7265130392421326, 0.7731689109964679],
    [1, 2, 0.09453120573423068, 0.9054687942657693],
    [5, 5, 0.5655175352168252, 1],
  ])("%d of %d right", (correct, n, low, high) => {
    const interval = wilsonInterval(correct, n);
    expect(interval?.low).toBeCloseTo(low, 14);
    expect(interval?.high).toBeCloseTo(high, 14);
  });

  it("says nothing of no docs, and refuses what is no count", () => {
    expect(wilsonInterval(0, 0)).toBeUndefined();
    expect(() => wilsonInterval(3, 2)).toThrow("3 of 2 docs cannot be right");
    expect(() => wilsonInterval(0.5, 2)).toThrow("0.5 of 2");
  });

  it("holds the mean, stays in [0, 1], and is wider at a stricter level", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (n, share) => {
        const correct = Math.round(share * n);
        const { low, high } = wilsonInterval(correct, n)!;
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(1);
        expect(low).toBeLessThanOrEqual(correct / n);
        expect(high).toBeGreaterThanOrEqual(correct / n);
        const strict = wilsonInterval(correct, n, 0.001)!;
        expect(strict.high - strict.low).toBeGreaterThan(high - low);
      }),
    );
  });
});
