import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binomialPmf } from "../../metrics/binomial.ts";
import {
  decideSequentially,
  logWealthAbove,
  logWealthBelow,
  sequentialInterval,
  SequentialPairs,
} from "../../metrics/sequential.ts";

describe("the wealth", () => {
  /** What is expected of it after n docs, by going through all tables. */
  function expected(n: number, discordance: number, mean: number, delta: number): number {
    const lossShare = (1 - mean / discordance) / 2;
    let sum = 0;
    for (let discordant = 0; discordant <= n; discordant++) {
      for (let losses = 0; losses <= discordant; losses++) {
        const chance = binomialPmf(discordant, n, discordance) * binomialPmf(losses, discordant, lossShare);
        sum += chance * Math.exp(logWealthAbove({ n, onlyBaseline: losses, onlyFused: discordant - losses }, delta));
      }
    }
    return sum;
  }

  it.each([
    [12, 0.3, 0.1],
    [30, 0.05, -0.01],
    [30, 0.02, 0],
    [20, 1, -0.4],
  ])("stays 1 on average where the mean is what is bet against (%d docs, %d discordant, mean %d)", (n, share, mean) => {
    expect(expected(n, share, mean, mean)).toBeCloseTo(1, 9);
  });

  it("shrinks on average where the mean lies on the other side, and grows where the bet is right", () => {
    expect(expected(20, 0.3, -0.1, 0)).toBeLessThan(0.95);
    expect(expected(20, 0.3, 0.1, 0)).toBeGreaterThan(1.05);
  });

  it("is 1 before the first doc, and infinite against what cannot be", () => {
    const nothing = { n: 0, onlyBaseline: 0, onlyFused: 0 };
    expect([logWealthAbove(nothing, 0), logWealthBelow(nothing, 0.3), logWealthAbove(nothing, -1)]).toEqual([0, 0, 0]);
    expect(logWealthAbove({ n: 1, onlyBaseline: 1, onlyFused: 0 }, -1)).toBe(Infinity);
  });
});

const table = fc
  .tuple(fc.nat(40), fc.nat(40), fc.nat(3000))
  .map(([onlyBaseline, onlyFused, rest]) => ({ n: onlyBaseline + onlyFused + rest, onlyBaseline, onlyFused }));

describe("sequentialInterval", () => {
  it("holds the difference seen, turns with the variants, and ends where the wealth reaches its limit", () => {
    fc.assert(
      fc.property(table, (pairs) => {
        const { low, high } = sequentialInterval(pairs);
        const { n, onlyBaseline, onlyFused } = pairs;
        const delta = n === 0 ? 0 : (onlyFused - onlyBaseline) / n;
        expect(low).toBeLessThanOrEqual(delta + 1e-9);
        expect(high).toBeGreaterThanOrEqual(delta - 1e-9);
        const turned = sequentialInterval({ n, onlyBaseline: onlyFused, onlyFused: onlyBaseline });
        expect(turned.low).toBeCloseTo(-high, 9);
        if (low > -0.999) expect(logWealthAbove(pairs, low)).toBeCloseTo(Math.log(40), 3);
      }),
    );
  });

  it("is all that there is before the first doc", () => {
    expect(sequentialInterval({ n: 0, onlyBaseline: 0, onlyFused: 0 })).toEqual({ low: -1, high: 1 });
  });
});

describe("decideSequentially", () => {
  it.each([
    ["nothing yet", 0, 0, 0, "inconclusive"],
    ["400 docs without a flip", 400, 0, 0, "inconclusive"],
    ["700 docs without a flip", 700, 0, 0, "equivalent"],
    ["ten lost in a row", 10, 10, 0, "regressed"],
    ["ten won in a row", 10, 0, 10, "improved"],
    ["five lost, which a test of a fixed number would call", 250, 5, 0, "inconclusive"],
  ])("%s", (_name, n, onlyBaseline, onlyFused, decision) => {
    expect(decideSequentially([{ n, onlyBaseline, onlyFused }], { margin: 0.01 })).toEqual([decision]);
  });

  it("asks more of a loss that is one of several filters'", () => {
    const loss = { n: 8, onlyBaseline: 8, onlyFused: 0 };
    const of = (filters: number): string | undefined =>
      decideSequentially(
        Array.from({ length: filters }, () => loss),
        { margin: 0.01 },
      )[0];
    expect([of(1), of(20)]).toEqual(["regressed", "inconclusive"]);
  });
});

describe("SequentialPairs", () => {
  it("is decided by a loss under any filter, and by equivalence only under all", () => {
    const pairs = new SequentialPairs(2, { margin: 0.01 });
    expect(pairs.decision()).toBe("inconclusive");
    for (let doc = 0; doc < 700; doc++) pairs.add([1, doc % 2 === 0 ? 1 : 0], [1, doc % 2 === 0 ? 1 : 0]);
    expect(pairs.decision()).toBe("equivalent");
    for (let doc = 0; doc < 40; doc++) pairs.add([1, 1], [1, 0]);
    expect(pairs.decision()).toBe("regressed");
    expect(pairs.tables).toEqual([
      { n: 740, onlyBaseline: 0, onlyFused: 0 },
      { n: 740, onlyBaseline: 40, onlyFused: 0 },
    ]);
    expect(() => pairs.add([1], [1])).toThrow("filter 1 has no mark");
  });
});
