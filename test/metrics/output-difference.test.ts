import { describe, expect, it } from "vitest";
import { compareOutputs, mergeOutputs, relativeDifference } from "../../metrics/output-difference.ts";

const shape = { tokens: 2, hiddenSize: 2 };

describe("compareOutputs", () => {
  it("sums squares, and knows the largest difference", () => {
    const found = compareOutputs(3, Float32Array.of(3, 0, 4, 0), Float32Array.of(3, 0, 4, 0.5), shape);
    expect(found).toEqual({
      layer: 3,
      tokens: 2,
      count: 4,
      squares: 25,
      squaredDifferences: 0.25,
      maxDifference: 0.5,
      notFinite: 0,
    });
    expect(relativeDifference(found)).toBeCloseTo(0.1, 12);
    expect(relativeDifference(compareOutputs(3, new Float32Array(4), new Float32Array(4), shape))).toBe(0);
  });

  it("looks at so many tokens and no more", () => {
    const found = compareOutputs(1, Float32Array.of(1, 1, 9, 9), Float32Array.of(1, 2, 0, 0), { ...shape, tokens: 1 });
    expect(found).toMatchObject({ tokens: 1, count: 2, maxDifference: 1 });
    expect(() => compareOutputs(1, new Float32Array(3), new Float32Array(4), shape)).toThrow(RangeError);
  });

  it("counts what is not finite, unless it is so in both", () => {
    const [a, b] = [Float32Array.of(NaN, 1, Infinity, 1), Float32Array.of(NaN, NaN, -Infinity, Infinity)];
    expect(compareOutputs(1, a, b, shape)).toMatchObject({ count: 0, notFinite: 3 });
  });

  it("merges docs of one layer", () => {
    const one = compareOutputs(1, Float32Array.of(1, 1, 1, 1), Float32Array.of(1, 1, 1, 2), shape);
    const two = compareOutputs(1, Float32Array.of(2, 0, 0, 0), Float32Array.of(5, 0, 0, NaN), shape);
    expect(mergeOutputs(one, two)).toEqual({
      layer: 1,
      tokens: 4,
      count: 7,
      squares: 8,
      squaredDifferences: 10,
      maxDifference: 3,
      notFinite: 1,
    });
    expect(() => mergeOutputs(one, { ...two, layer: 2 })).toThrow(RangeError);
  });
});
