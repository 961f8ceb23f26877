import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scoreStatistic, tangoInterval } from "../../metrics/tango.ts";

describe("tangoInterval", () => {
  // Fagerland, Lydersen and Laake, Statistics in Medicine 33:2850 (2014), table of both examples (there to three digits).
  it.each([
    ["airway hyper-responsiveness", { n: 21, onlyBaseline: 7, onlyFused: 1 }, "-0.517", "-0.026"],
    ["complete response", { n: 161, onlyBaseline: 6, onlyFused: 16 }, "0.005", "0.124"],
  ])("as published: %s", (_name, pairs, low, high) => {
    const interval = tangoInterval(pairs);
    expect([interval?.low.toFixed(3), interval?.high.toFixed(3)]).toEqual([low, high]);
  });

  // scipy 1.17.1: the likelihood under the difference maximised by minimize_scalar, the ends found by brentq. That is right
  // to nine digits where there are discordant pairs.
  it.each([
    [44, 1, 0, -0.11807709698213213, 0.05939323104311406],
    [160, 40, 20, -0.21806424412743713, -0.030864532868124468],
    [250, 0, 0, -0.015133299495444579, 0.015133299495444579],
    [1319, 0, 0, -0.002903944985303654, 0.002903944985303654],
    [1319, 31, 17, -0.021596306759612445, -0.00033200176408367],
    [1600, 150, 86, -0.05899803330826085, -0.02136156464991893],
    [100_000, 300, 280, -0.0006742076646346206, 0.00027291478958142983],
    [1, 0, 0, -0.7934506856227626, 0.7934506856227626],
    [1, 1, 0, -1, 0.5869013712455252],
    [12, 12, 0, -1, -0.515011986689518],
  ])("%d docs, %d only baseline, %d only fused", (n, onlyBaseline, onlyFused, low, high) => {
    const interval = tangoInterval({ n, onlyBaseline, onlyFused });
    expect(interval?.low).toBeCloseTo(low, 8);
    expect(interval?.high).toBeCloseTo(high, 8);
  });

  it("says nothing of no docs", () => {
    expect(tangoInterval({ n: 0, onlyBaseline: 0, onlyFused: 0 })).toBeUndefined();
  });

  const table = fc
    .tuple(fc.nat(60), fc.nat(60), fc.nat(3000))
    .filter(([b, c, rest]) => b + c + rest > 0)
    .map(([onlyBaseline, onlyFused, rest]) => ({ n: onlyBaseline + onlyFused + rest, onlyBaseline, onlyFused }));

  it("holds the difference, has a width, turns with the variants, and rejects what lies outside of it", () => {
    fc.assert(
      fc.property(table, (pairs) => {
        const { n, onlyBaseline, onlyFused } = pairs;
        const { low, high } = tangoInterval(pairs)!;
        const delta = (onlyFused - onlyBaseline) / n;
        expect(low).toBeLessThanOrEqual(delta);
        expect(high).toBeGreaterThanOrEqual(delta);
        expect(high - low).toBeGreaterThan(0);
        const turned = tangoInterval({ n, onlyBaseline: onlyFused, onlyFused: onlyBaseline })!;
        expect(turned.low).toBeCloseTo(-high, 12);
        expect(turned.high).toBeCloseTo(-low, 12);
        for (const outside of [low - 0.001, high + 0.001]) {
          if (Math.abs(outside) < 1) expect(Math.abs(scoreStatistic(pairs, outside))).toBeGreaterThan(1.9599);
        }
      }),
    );
  });

  it("is McNemar's z where the difference is 0", () => {
    fc.assert(
      fc.property(table, (pairs) => {
        const { onlyBaseline: b, onlyFused: c } = pairs;
        const z = b + c === 0 ? 0 : (c - b) / Math.sqrt(b + c);
        expect(scoreStatistic(pairs, 0)).toBeCloseTo(z, 9);
      }),
    );
  });
});
