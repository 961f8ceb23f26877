/** What fused is held to where two runs of the baseline were measured: no more than they differ by, beyond chance. */
import { describe, expect, it } from "vitest";
import { levelsOf } from "../../comparison/levels.ts";
import { judge } from "../../comparison/verdict.ts";
import type { JudgedLogprobs, JudgedParity, NoiseFloor } from "../../reports/comparison.ts";
import { held } from "../reports/example.ts";

const sound = held.parity as JudgedParity;
const tokens = sound.routing.layers.reduce((sum, layer) => sum + layer.tokens, 0);

/** So many choices that nothing explains, in the first layer, and the largest difference of a weight. */
function parity(unexplained: number, largestWeight = 0): JudgedParity {
  const [first, ...others] = sound.routing.layers;
  const { weights } = first!;
  const layers = [{ ...first!, unexplained, weights: { ...weights, max: largestWeight } }, ...others];
  const at = unexplained === 0 ? null : { doc_id: 1, position: 2, layer: first!.layer };
  return { ...sound, routing: { ...sound.routing, layers, firstDivergence: at, firstUnexplained: at } };
}

function logprobs(mean: number): JudgedLogprobs {
  return { ...(held.logprobs as JudgedLogprobs), count: 1000, sum: 1000 * mean, max: 3 * mean };
}

function floor(unexplained: number, { largestWeight = 0, mean = 0 } = {}): NoiseFloor {
  const divergence = { kind: "not judged", reason: "not here" } as const;
  return { parity: parity(unexplained, largestWeight), logprobs: logprobs(mean), paired: held.paired, divergence };
}

function verdict(
  of: JudgedParity,
  measured: NoiseFloor | undefined,
  likelihoods = logprobs(0),
): ReturnType<typeof judge> {
  return judge(held.variants, held.paired, of, [], likelihoods, { margin: 0.01, floor: measured });
}

function outcomes(of: JudgedParity, measured: NoiseFloor, likelihoods = logprobs(0)): Record<string, string> {
  const rows = levelsOf({ ...held, parity: of, logprobs: likelihoods }, { margin: 0.01 }, measured);
  return Object.fromEntries(rows.map(({ what, outcome }) => [what, outcome]));
}

describe("experts", () => {
  it("without a floor a single choice that nothing explains is a fault", () => {
    expect(verdict(parity(1), undefined).outcome).toBe("regressed");
  });

  it("are no fault where two runs of the baseline differ as often, and that is said; nor are they proof of equality", () => {
    const { held: holds, outcome, reasons } = verdict(parity(12), floor(9));
    expect([holds, outcome]).toEqual([true, "inconclusive"]);
    expect(reasons.join("; ")).toContain(
      `other experts in 12 of ${tokens.toLocaleString("en-US")} choices that no near-tie explains, no more than two runs of the baseline (9 of`,
    );
    expect(outcomes(parity(12), floor(9))["experts, as sets"]).toBe("pass");
  });

  it("are a fault where they differ more often, beyond chance", () => {
    const { outcome, reasons } = verdict(parity(40), floor(9));
    expect(outcome).toBe("regressed");
    expect(reasons[0]).toMatch(/^other experts in 40 of .*, two runs of the baseline in 9 of .* \(p = /);
    expect(outcomes(parity(40), floor(9))["experts, as sets"]).toBe("fail");
  });

  it("a floor of nothing excuses nothing where margins tell rounding from faults", () => {
    expect(verdict(parity(1), floor(0)).outcome).toBe("regressed");
  });

  it("without margins a floor of nothing excuses as much as chance does, which is little", () => {
    const blind = (tokensAffected: number): JudgedParity => {
      const { routing, ...rest } = parity(0);
      return { ...rest, routing: { ...routing, marginsKnown: false, tokens: 100_000, tokensAffected } };
    };
    const measured = { ...floor(0), parity: blind(0) };
    expect(verdict(blind(6), measured).outcome).not.toBe("regressed");
    expect(verdict(blind(7), measured).outcome).toBe("regressed");
    // Assumed rather than measured, one in 1,000 would be excused.
    expect(verdict(blind(7), undefined).outcome).not.toBe("regressed");
  });
});

it("broken routing data are never noise", () => {
  const invariants = { ...sound.invariants, broken: 1, firstBroken: "hist" };
  const both = { ...parity(0), invariants };
  expect(verdict(both, { ...floor(0), parity: both }).outcome).toBe("regressed");
});

it.each([
  [1e-3, 0, "fail"],
  [1e-3, 6e-4, "pass"],
  [1e-3, 4e-4, "fail"],
])("weights that differ by %d, where the baseline's two runs differ by %d: %s", (largest, measured, outcome) => {
  expect(outcomes(parity(0, largest), floor(0, { largestWeight: measured }))["weights, by id"]).toBe(outcome);
});

it.each([
  [0.3, 0, "fail"],
  [0.3, 0.2, "pass"],
  [0.3, 0.1, "fail"],
])(
  "log-probabilities that differ by %d on average, where the baseline's differ by %d: %s",
  (mean, measured, outcome) => {
    expect(outcomes(parity(0), floor(0, { mean: measured }), logprobs(mean))["log-probabilities"]).toBe(outcome);
    expect(verdict(parity(0), floor(0, { mean: measured }), logprobs(mean)).outcome === "regressed").toBe(
      outcome === "fail",
    );
  },
);

it("every level that was measured stands beside what two runs of the baseline do", () => {
  const rows = levelsOf(held, { margin: 0.01 }, floor(3));
  const measured = rows.filter((row) => row.floor !== undefined).map(({ level }) => level);
  expect([...new Set(measured)]).toEqual([1, 2, 3, 4]);
  expect(rows.find(({ what }) => what === "experts, as sets")?.floor).toContain("3 unexplained");
});
