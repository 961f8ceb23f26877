import { describe, expect, it } from "vitest";
import { poissonTail } from "../../metrics/poisson.ts";

describe("poissonTail", () => {
  // scipy.stats.poisson.sf(count - 1, mean)
  it.each([
    [0, 3, 1],
    [1, 1, 0.6321205588285577],
    [2, 0.02, 0.00019735322710959184],
    [5, 0.84, 0.001743392485548017],
    [3, 0.112, 0.00021534007656048883],
    [1100, 1000, 0.0009626304058665587],
  ])("at least %d where %d are expected", (count, mean, tail) => {
    expect(poissonTail(count, mean)).toBeCloseTo(tail, 10);
  });
});
