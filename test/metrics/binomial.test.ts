import { describe, expect, it } from "vitest";
import { binomialCdf, binomialPmf } from "../../metrics/binomial.ts";

describe("binomialPmf, binomialCdf", () => {
  // scipy 1.17.1: stats.binom.pmf(k, n, p), stats.binom.cdf(k, n, p)
  it.each([
    [3, 10, 0.3, 0.2668279319999998, 0.6496107184000002],
    [0, 5, 0.5, 0.03125, 0.03125],
    [990, 1319, 0.75, 0.025351499643664847, 0.5295784088144773],
    [120, 1000, 0.1, 0.004738914439174305, 0.98274276947338],
    [5, 5, 0.2, 0.00032, 1],
    [50_000, 100_000, 0.5, 0.0025231262141967386, 0.5012615631070978],
    [10, 100_000, 0.0002, 0.005813689298718744, 0.010805903160013945],
    [99, 100, 0.999, 0.09056978449586675, 0.09520785288629104],
  ])("%d of %d with probability %d", (k, n, p, pmf, cdf) => {
    expect(binomialPmf(k, n, p) / pmf).toBeCloseTo(1, 9);
    expect(binomialCdf(k, n, p) / cdf).toBeCloseTo(1, 9);
  });

  it("is whole at its ends", () => {
    expect([binomialCdf(-1, 5, 0.5), binomialCdf(5, 5, 0.5), binomialCdf(9, 5, 0.5)]).toEqual([0, 1, 1]);
    expect([binomialPmf(0, 3, 0), binomialPmf(1, 3, 0), binomialPmf(3, 3, 1), binomialPmf(0, 0, 0.5)]).toEqual([
      1, 0, 1, 1,
    ]);
    expect([binomialCdf(0, 3, 0), binomialCdf(2, 3, 1)]).toEqual([1, 0]);
  });
});
