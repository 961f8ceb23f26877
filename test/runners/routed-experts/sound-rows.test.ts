import * as fc from "fast-check";
import { expect, it } from "vitest";
import { unsoundFinder } from "../../../runners/routed-experts/sound-rows.ts";

it.each([2, 4, 7, 8, 9])("K = %i: finds the first row with an id twice or out of range, from any row on", (k) => {
  const id = fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 0, max: 39 }) }, fc.integer({ min: -2, max: 45 }));
  const row = fc.oneof(
    fc.uniqueArray(fc.integer({ min: 0, max: 39 }), { minLength: k, maxLength: k }),
    fc.array(id, { minLength: k, maxLength: k }),
  );
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 8 }),
      fc.nat(8),
      fc.constantFrom(40, 32, 64),
      (rows, from, e) => {
        const find = unsoundFinder(k, e);
        const sound = rows.map((ids) => new Set(ids).size === k && ids.every((each) => each >= 0 && each < e));
        const start = Math.min(from, rows.length);
        const expected = sound.findIndex((each, at) => at >= start && !each);
        const ids = Int32Array.from(rows.flat());
        // Twice: nothing of a search may be left over for the next.
        for (let repeat = 0; repeat < 2; repeat++) {
          expect(find(ids, start)).toBe(expected < 0 ? rows.length : expected);
        }
        if (rows.flat().every((each) => each >= 0)) {
          expect(find(Uint16Array.from(ids), start)).toBe(expected < 0 ? rows.length : expected);
        }
      },
    ),
    { seed: 4, numRuns: 500 },
  );
});

it.each([8, 6])("K = %i in bytes: the same for every number of experts, wherever the view begins", (k) => {
  const row = fc.oneof(
    fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: k, maxLength: k }),
    fc.array(fc.integer({ min: 0, max: 255 }), { minLength: k, maxLength: k }),
  );
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 0, max: 3 }),
      fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constantFrom(127, 128, 129, 255, 256)),
      fc.boolean(),
      (drawn, offset, e, fold) => {
        // Half of the time within range as a rule, so that rows are refused for what they hold twice.
        const rows = fold ? drawn.map((ids) => ids.map((id) => id % Math.min(e + 1, 256))) : drawn;
        const expected = rows.findIndex((ids) => new Set(ids).size < k || ids.some((id) => id >= e));
        const ids = new Uint8Array(rows.length * k + offset).subarray(offset);
        ids.set(rows.flat());
        expect(unsoundFinder(k, e)(ids, 0)).toBe(expected < 0 ? rows.length : expected);
      },
    ),
    { seed: 5, numRuns: 5000 },
  );
});
