import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pairedDifference } from "../../metrics/paired.ts";

/** Scores with the given 2x2 counts. */
function pairs(bothRight: number, onlyBaseline: number, onlyFused: number, bothWrong: number): [(0 | 1)[], (0 | 1)[]] {
  const rows: [0 | 1, 0 | 1, number][] = [
    [1, 1, bothRight],
    [1, 0, onlyBaseline],
    [0, 1, onlyFused],
    [0, 0, bothWrong],
  ];
  const all = rows.flatMap(([a, b, count]) => Array.from({ length: count }, () => [a, b] as const));
  return [all.map(([a]) => a), all.map(([, b]) => b)];
}

describe("pairedDifference", () => {
  // numpy 2.4.6: d = fused - baseline; d.mean(), d.std(ddof=1) / np.sqrt(n). The interval: see tango.test.ts.
  test.each([
    {
      counts: [80, 9, 4, 7],
      delta: -0.05,
      standardError: 0.03588702812826367,
      low: -0.1294862799173696,
      high: 0.02332431725728623,
    },
    {
      counts: [900, 31, 17, 371],
      delta: -0.01061410159211524,
      standardError: 0.005246470473807023,
      low: -0.021596306759612445,
      high: -0.00033200176408367,
    },
    {
      counts: [1, 2, 2, 1],
      delta: 0,
      standardError: 0.36514837167011077,
      low: -0.5576825343378696,
      high: 0.5576825343378696,
    },
  ])("$counts", ({ counts, delta, standardError, low, high }) => {
    const [baseline, fused] = pairs(...(counts as [number, number, number, number]));
    const result = pairedDifference(baseline, fused);
    expect(result).toMatchObject({
      n: counts.reduce((sum, count) => sum + count),
      bothRight: counts[0],
      onlyBaseline: counts[1],
      onlyFused: counts[2],
      bothWrong: counts[3],
      difference: {
        kind: "estimated",
        delta: expect.closeTo(delta, 14) as number,
        standardError: expect.closeTo(standardError, 14) as number,
        low: expect.closeTo(low, 8) as number,
        high: expect.closeTo(high, 8) as number,
      },
    });
  });

  test("too few docs, and docs that all behave alike, claim no certainty", () => {
    expect(pairedDifference([], []).difference).toEqual({ kind: "no docs" });
    expect(pairedDifference([1], [0]).difference).toEqual({
      kind: "one doc",
      delta: -1,
      low: -1,
      high: expect.closeTo(0.5869013712455252, 8) as number,
    });
    expect(pairedDifference([1, 1], [0, 0]).difference).toEqual({
      kind: "all discordant",
      delta: -1,
      low: -1,
      high: expect.closeTo(0.31523954498669454, 8) as number,
    });
    // scipy.stats.beta.ppf(0.95, 1, 200)
    expect(pairedDifference(...pairs(150, 0, 0, 50)).difference).toEqual({
      kind: "no discordant pairs",
      delta: 0,
      discordantBelow: expect.closeTo(0.014867039231272054, 14) as number,
      // z^2 / (n + z^2)
      low: expect.closeTo(-0.018845326377266575, 14) as number,
      high: expect.closeTo(0.018845326377266575, 14) as number,
    });
  });

  test("swapping the variants turns the sign and nothing else; the result is JSON without NaN", () => {
    const pair = fc.tuple(fc.constantFrom<0 | 1>(0, 1), fc.constantFrom<0 | 1>(0, 1));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 200 }), (all) => {
        const a = all.map(([score]) => score);
        const b = all.map(([, score]) => score);
        const forth = pairedDifference(a, b);
        const back = pairedDifference(b, a);
        expect(JSON.parse(JSON.stringify(forth))).toEqual(forth);
        expect(forth.bothRight + forth.onlyBaseline + forth.onlyFused + forth.bothWrong).toBe(all.length);
        expect(back.onlyBaseline).toBe(forth.onlyFused);
        expect(back.difference.kind).toBe(forth.difference.kind);
        if (forth.difference.kind !== "estimated" || back.difference.kind !== "estimated") return;
        expect(back.difference.delta).toBeCloseTo(-forth.difference.delta, 15);
        expect(back.difference.standardError).toBeCloseTo(forth.difference.standardError, 15);
      }),
    );
  });

  test("unpaired or foreign scores are refused", () => {
    expect(() => pairedDifference([1, 0], [1])).toThrow("2 baseline scores but 1 fused");
    expect(() => pairedDifference([1, 2], [1, 1])).toThrow("score 1 is 2");
  });
});
