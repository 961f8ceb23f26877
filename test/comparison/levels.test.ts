import { describe, expect, it } from "vitest";
import { judgeLevels } from "../../comparison/levels.ts";
import { judge } from "../../comparison/verdict.ts";
import type { Comparison, JudgedLevel, JudgedLogprobs, JudgedParity } from "../../reports/comparison.ts";
import { broken, held } from "../reports/example.ts";

type Parts = Pick<Comparison, "paired" | "parity" | "logprobs">;

function levelsOf(parts: Parts): JudgedLevel[] {
  return judgeLevels(parts.paired, parts.parity, parts.logprobs);
}

function results(parts: Parts): string[] {
  return levelsOf(parts).map(({ result }) => result);
}

const parity = held.parity as JudgedParity;
const [first, second] = held.paired;

describe("the four levels", () => {
  it("pass where nothing differs, each with its number", () => {
    expect(levelsOf(held)).toEqual([
      { level: 1, name: "routing data", result: "pass", decidedBy: "0 broken invariants in 2,531,320 entries" },
      {
        level: 2,
        name: "selection",
        result: "pass",
        decidedBy: "every token to the same experts with the same weights (largest Δ 0), 112,489 tokens of 200 docs",
      },
      {
        level: 3,
        name: "what follows",
        result: "pass",
        decidedBy: "log-probabilities: largest Δ 0, mean 0, 14,077 tokens of 200 docs",
      },
      {
        level: 4,
        name: "answers",
        result: "pass",
        decidedBy:
          "strict-match 0.00 points (0 of 200 docs differ); flexible-extract 0.00 points (0 of 200 docs differ)",
      },
    ]);
  });

  it.each<[string, Parts, number]>([
    [
      "broken invariants",
      { ...held, parity: { ...parity, invariants: { ...parity.invariants, broken: 3, firstBroken: "hist" } } },
      1,
    ],
    ["other experts that nothing explains", broken, 2],
    [
      "a log-probability that is finite in one variant only",
      { ...held, logprobs: { ...(held.logprobs as JudgedLogprobs), notFinite: 1 } },
      3,
    ],
    [
      "a loss beyond its interval",
      {
        ...held,
        paired: [
          { ...first!, difference: { kind: "estimated", delta: -0.1, standardError: 0.02, low: -0.14, high: -0.06 } },
          second!,
        ],
      },
      4,
    ],
  ])("%s: one level fails, and so does the run", (_what, parts, level) => {
    expect(results(parts)).toEqual([1, 2, 3, 4].map((each) => (each === level ? "fail" : "pass")));
    // Level 3 is shown; what decides a run is the verdict's business.
    if (level !== 3) expect(judge(held.variants, parts.paired, parts.parity).held).toBe(false);
    const { decidedBy } = levelsOf(parts)[level - 1]!;
    expect(decidedBy).not.toBe("");
    expect(decidedBy).not.toMatch(/^every|^0 broken|^log-probabilities: /);
  });

  it("say why where they were not judged", () => {
    const absent = { kind: "not judged", reason: "the engine gives none" } as const;
    expect(levelsOf({ paired: [], parity: absent, logprobs: absent })).toMatchObject([
      { result: "not judged", decidedBy: "the engine gives none" },
      { result: "not judged", decidedBy: "the engine gives none" },
      { result: "not judged", decidedBy: "the engine gives none" },
      { result: "not judged", decidedBy: "no doc was answered by both variants" },
    ]);
    const unseen = { ...parity, invariants: { checked: 0, inAnswers: 0, broken: 0, firstBroken: null } };
    expect(results({ ...held, parity: unseen })).toEqual(["not judged", "pass", "pass", "pass"]);
  });
});
