import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { klDivergence } from "../../metrics/kl-divergence.ts";

describe("klDivergence", () => {
  it("is what a textbook says", () => {
    // p = (1/2, 1/4, 1/4), q = (1/4, 1/4, 1/2): 0.5 ln 2 - 0.25 ln 2.
    const [p, q] = [[0.5, 0.25, 0.25].map(Math.log), [0.25, 0.25, 0.5].map(Math.log)];
    expect(klDivergence(p, q)).toBeCloseTo(0.25 * Math.LN2, 12);
    // Not symmetric: (0.9, 0.1) against (0.5, 0.5) and back.
    const [r, half] = [[0.9, 0.1].map(Math.log), [0, 0]];
    expect(klDivergence(r, half)).toBeCloseTo(0.9 * Math.log(1.8) + 0.1 * Math.log(0.2), 12);
    expect(klDivergence(half, r)).toBeCloseTo(0.5 * Math.log(0.5 / 0.9) + 0.5 * Math.log(0.5 / 0.1), 12);
  });

  it("is 0 for the same and never below, wherever the logits lie", () => {
    const logits = fc.array(fc.double({ min: -50, max: 50, noNaN: true }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(logits, logits, fc.double({ min: -1e3, max: 1e3, noNaN: true }), (p, q, shift) => {
        expect(klDivergence(p, q)).toBeGreaterThanOrEqual(0);
        const shifted = p.map((logit) => logit + shift);
        expect(klDivergence(p, shifted)).toBeLessThan(1e-9);
      }),
    );
  });

  it("says what is impossible in one, and what is no number", () => {
    expect(klDivergence([0, 0], [0, -Infinity])).toBe(Infinity);
    expect(klDivergence([0, -Infinity], [0, 0])).toBeCloseTo(Math.LN2, 12);
    expect(klDivergence([0, NaN], [0, 0])).toBeNaN();
    expect(klDivergence([0, 0], [0, NaN])).toBeNaN();
    expect(() => klDivergence([0], [0, 0])).toThrow(RangeError);
  });
});
