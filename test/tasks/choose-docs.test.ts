import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseDocs } from "../../tasks/index.ts";

describe("chooseDocs", () => {
  it("draws different docs in range by rising id, the same ones for the same seed", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(300), fc.nat(), (total, count, seed) => {
        const chosen = chooseDocs(total, count, seed);
        expect(chosen).toHaveLength(Math.min(total, count));
        expect(new Set(chosen).size).toBe(chosen.length);
        expect(chosen.every((id) => id >= 0 && id < total)).toBe(true);
        expect(chosen).toEqual(chosen.toSorted((a, b) => a - b));
        expect(chooseDocs(total, count, seed)).toEqual(chosen);
      }),
    );
  });

  it("gives every doc its turn", () => {
    const counts = Array.from({ length: 20 }, () => 0);
    for (let seed = 0; seed < 2000; seed++) for (const id of chooseDocs(20, 5, seed)) counts[id]!++;
    // 500 expected of each; a standard deviation is 19.
    for (const count of counts) expect(Math.abs(count - 500)).toBeLessThan(120);
  });
});
