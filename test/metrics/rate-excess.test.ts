import fc from "fast-check";
import { expect, it } from "vitest";
import { rateExcess } from "../../metrics/rate-excess.ts";

// scipy 1.17.1: scipy.stats.binom.sf(events - 1, events + floor, chances / (chances + floorChances))
it.each([
  [10, 1000, 2, 1000, 0.019287109375],
  [3, 1000, 0, 1000, 0.125],
  [12, 13_000, 9, 13_000, 0.33181190490722656],
  [40, 10_000, 10, 20_000, 1.664987211934016e-11],
  [0, 1000, 5, 1000, 1],
  [0, 1000, 0, 1000, 1],
])("%d of %d, where the floor is %d of %d: p = %d", (events, chances, floorEvents, floorChances, p) => {
  const found = rateExcess({ events, chances }, { events: floorEvents, chances: floorChances });
  expect(found / p).toBeCloseTo(1, 4);
});

it("is a p-value: smaller the more events there are, larger the higher the floor is", () => {
  const count = fc.integer({ min: 0, max: 300 });
  fc.assert(
    fc.property(count, count, fc.integer({ min: 300, max: 1e6 }), fc.integer({ min: 300, max: 1e6 }), (a, b, n, m) => {
      const p = rateExcess({ events: a, chances: n }, { events: b, chances: m });
      expect(p).toBeGreaterThanOrEqual(0);
      expect(p).toBeLessThanOrEqual(1);
      expect(rateExcess({ events: a + 1, chances: n }, { events: b, chances: m })).toBeLessThanOrEqual(p + 1e-12);
      expect(rateExcess({ events: a, chances: n }, { events: b + 1, chances: m })).toBeGreaterThanOrEqual(p - 1e-12);
    }),
  );
});
