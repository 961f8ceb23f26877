import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, decideAll, leastOf } from "../../metrics/decide.ts";
import type { Decision } from "../../metrics/decide.ts";
import { tangoInterval } from "../../metrics/tango.ts";

const MARGIN = 0.01;

describe("decide", () => {
  it.each<[string, number, number, number, Decision]>([
    ["no docs", 0, 0, 0, "inconclusive"],
    ["one doc", 1, 1, 0, "inconclusive"],
    ["250 docs, none discordant: up to 1.51 points may be hidden", 250, 0, 0, "inconclusive"],
    ["380 docs, none discordant", 380, 0, 0, "inconclusive"],
    ["381 docs, none discordant", 381, 0, 0, "equivalent"],
    ["as many lost as won", 5000, 40, 40, "equivalent"],
    ["4 lost, none won: once in 16 by chance, though the interval lies below 0", 250, 4, 0, "inconclusive"],
    ["5 lost, none won", 250, 5, 0, "regressed"],
    ["5 won, none lost", 250, 0, 5, "improved"],
    ["all lost", 12, 12, 0, "regressed"],
    ["all won", 12, 0, 12, "improved"],
    ["a loss of 0.3 points that is shown, and shown to be less than a point", 100_000, 500, 200, "equivalent"],
    ["a loss of 0.9 points that is shown and may be more than a point", 10_000, 120, 30, "regressed"],
    ["a gain of 0.3 points that is shown, and shown to be less than a point", 100_000, 200, 500, "equivalent"],
  ])("%s", (_name, n, onlyBaseline, onlyFused, decision) => {
    expect(decide({ n, onlyBaseline, onlyFused }, { margin: MARGIN })).toBe(decision);
  });

  it("calls any loss that is shown a regression where the margin is 0, and nothing equivalent", () => {
    expect(decide({ n: 100_000, onlyBaseline: 500, onlyFused: 200 }, { margin: 0 })).toBe("regressed");
    expect(decide({ n: 100_000, onlyBaseline: 0, onlyFused: 0 }, { margin: 0 })).toBe("inconclusive");
  });

  it("shows a loss of several filters after Holm's correction, and equivalence without any", () => {
    const loss = { n: 1319, onlyBaseline: 31, onlyFused: 17 };
    const none = { n: 1319, onlyBaseline: 0, onlyFused: 0 };
    const large = { n: 1319, onlyBaseline: 60, onlyFused: 17 };
    expect(decide(loss, { margin: MARGIN })).toBe("regressed");
    expect(decideAll([loss, loss], { margin: MARGIN })).toEqual(["inconclusive", "inconclusive"]);
    expect(decideAll([loss, large], { margin: MARGIN })).toEqual(["regressed", "regressed"]);
    expect(decideAll([none, none, none], { margin: MARGIN })).toEqual(["equivalent", "equivalent", "equivalent"]);
    expect(decideAll([], { margin: MARGIN })).toEqual([]);
  });

  it.each<[Decision[], Decision]>([
    [["equivalent", "equivalent"], "equivalent"],
    [["equivalent", "improved"], "improved"],
    [["improved", "inconclusive"], "inconclusive"],
    [["improved", "inconclusive", "regressed"], "regressed"],
    [[], "inconclusive"],
  ])("%j come to %s", (decisions, least) => {
    expect(leastOf(decisions)).toBe(least);
  });

  const table = fc
    .tuple(fc.nat(40), fc.nat(40), fc.nat(5000))
    .map(([onlyBaseline, onlyFused, rest]) => ({ n: onlyBaseline + onlyFused + rest, onlyBaseline, onlyFused }));
  const mirrored: Record<Decision, Decision> = {
    equivalent: "equivalent",
    inconclusive: "inconclusive",
    improved: "regressed",
    regressed: "improved",
  };

  it("turns with the variants, and never speaks against the interval", () => {
    fc.assert(
      fc.property(table, fc.constantFrom(0, 0.005, 0.01, 0.05), (pairs, margin) => {
        const decision = decide(pairs, { margin });
        const turned = { ...pairs, onlyBaseline: pairs.onlyFused, onlyFused: pairs.onlyBaseline };
        expect(decide(turned, { margin })).toBe(mirrored[decision]);
        const interval = tangoInterval(pairs);
        if (interval === undefined) return;
        const { low, high } = interval;
        const within = low > -margin && high < margin;
        expect(decision === "equivalent").toBe(within);
        if (decision === "regressed") expect(high).toBeLessThan(0);
        if (decision === "improved") expect(low).toBeGreaterThan(0);
      }),
    );
  });
});
