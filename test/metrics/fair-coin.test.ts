import { describe, expect, it } from "vitest";
import { fairCoinTail } from "../../metrics/binomial.ts";

describe("fairCoinTail", () => {
  // Exact, in fractions: sum(math.comb(n, k) for k in range(heads, n + 1)) / 2**n
  it.each([
    [0, 5, 1],
    [1, 1, 0.5],
    [5, 5, 0.03125],
    [3, 10, 0.9453125],
    [9, 10, 0.0107421875],
    [11, 11, 0.00048828125],
    [60, 100, 0.028443966820490395],
    [40, 100, 0.9823998998911476],
    [560, 1000, 8.252493527522651e-5],
    [5100, 10_000, 0.023292763852473693],
    [7, 6, 0],
  ])("at least %d heads of %d", (heads, tosses, tail) => {
    expect(fairCoinTail(heads, tosses)).toBeCloseTo(tail, 9);
  });

  it("ends for any number of tosses", () => {
    expect(fairCoinTail(5e9, 1e10)).toBeCloseTo(0.5, 4);
    expect(fairCoinTail(6e9, 1e10)).toBe(0);
  });
});
