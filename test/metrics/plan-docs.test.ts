import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decisionProbabilities, planDocs } from "../../metrics/plan-docs.ts";

describe("decisionProbabilities", () => {
  // By itself: every table of n docs with its multinomial probability (scipy 1.17.1), Tango's z from the formula of the
  // paper, mid-p from scipy.stats.binom.
  it.each([
    [60, 0.1, -0.05, 0.1, 0.12644208038072371, 0.00026463242594114563, 0.17289865051889253],
    [400, 0.01, 0, 0.01, 0.017950553275045945, 0.008424528002676093, 0.008424528002676093],
    [400, 0.05, -0.05, 0.02, 2.987008626372962e-7, 0, 0.9999878982673354],
    [1319, 0.02, -0.01, 0.01, 0.02133540217854831, 2.221239431798216e-6, 0.7370525593042545],
  ])("%d docs, discordance %d, difference %d, margin %d", (docs, discordance, difference, margin, ...expected) => {
    const { equivalent, improved, regressed, inconclusive } = decisionProbabilities(docs, {
      discordance,
      difference,
      margin,
    });
    for (const [index, probability] of [equivalent, improved, regressed].entries()) {
      expect(probability).toBeCloseTo(expected[index]!, 8);
    }
    expect(equivalent + improved + regressed + inconclusive).toBeCloseTo(1, 12);
  });

  it("makes false alarms as seldom as it says, whatever the discordance", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3000 }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (docs, discordance) => {
          const { regressed, improved } = decisionProbabilities(docs, { discordance, margin: 0.01 });
          // Mid-p does not guarantee its level; beyond it by a tenth is what it was never seen to be.
          expect(regressed).toBeLessThan(0.0275);
          expect(improved).toBeCloseTo(regressed, 8);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuses what cannot be", () => {
    expect(() => decisionProbabilities(9, { discordance: 0.01, difference: -0.02, margin: 0.01 })).toThrow(
      "a difference of -0.02 cannot come from a discordance of 0.01",
    );
    expect(() => decisionProbabilities(9, { discordance: 2, margin: 0.01 })).toThrow("a discordance is 2");
    expect(() => decisionProbabilities(9, { discordance: 0, margin: -1 })).toThrow("a margin is -1");
  });
});

describe("planDocs", () => {
  it("is the verdict's own limit where nothing differs", () => {
    expect(planDocs({ discordance: 0, margin: 0.01 })).toEqual({ kind: "docs", decision: "equivalent", docs: 381 });
    expect(planDocs({ discordance: 0, margin: 0.005 })).toEqual({
      kind: "docs",
      decision: "equivalent",
      docs: expect.closeTo(765, -0.5) as number,
    });
  });

  it("comes near the textbook's formula for many docs", () => {
    // n = (z(0.975) + z(0.9))^2 discordance / margin^2: with two sides to hold, 80 % need 90 % on each.
    const plan = planDocs({ discordance: 0.1, margin: 0.01 });
    expect(plan).toMatchObject({ kind: "docs", decision: "equivalent" });
    expect(plan.kind === "docs" && plan.docs / 10_507).toBeCloseTo(1, 1);
  });

  it("plans for a loss where the difference is one", () => {
    const options = { discordance: 0.03, difference: -0.02, margin: 0.01 };
    const plan = planDocs(options);
    if (plan.kind !== "docs") throw new Error(plan.kind);
    expect(plan.decision).toBe("regressed");
    expect(decisionProbabilities(plan.docs, options).regressed).toBeGreaterThanOrEqual(0.8);
    expect(planDocs({ ...options, power: 0.95 })).toMatchObject({
      docs: expect.toSatisfy((n: number) => n > plan.docs),
    });
  });

  it("says where no number of docs will do", () => {
    expect(planDocs({ discordance: 0.02, margin: 0 })).toEqual({
      kind: "out of reach",
      decision: "improved",
      most: 1_000_000,
    });
    expect(() => planDocs({ discordance: 0.02, margin: 0.01, power: 1 })).toThrow("a power is 1");
  });
});
