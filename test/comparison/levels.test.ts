import { describe, expect, it } from "vitest";
import { compareDoc } from "../../comparison/compare-outputs.ts";
import { levelsOf, outputFaults } from "../../comparison/levels.ts";
import { judge } from "../../comparison/verdict.ts";
import type { Comparison, JudgedOutputs, JudgedParity } from "../../reports/comparison.ts";
import type { SequenceOutputs } from "../../runners/runner.ts";
import { broken, held } from "../reports/example.ts";

/** Three tokens of two layers, two numbers each; the last two are the completion's, of four tokens in all. */
function outputs(change: Partial<SequenceOutputs> = {}): SequenceOutputs {
  return {
    layers: [1, 2],
    hiddenSize: 2,
    values: [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(6, 5, 4, 3, 2, 1)],
    vocabSize: 4,
    logits: Float32Array.of(0, 1, 2, 3, 3, 2, 1, 0),
    promptTokens: 2,
    topkIds: Uint16Array.of(0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5),
    nExpertsAct: 2,
    ...change,
  };
}

function outcomes(of: Comparison): Record<string, string> {
  return Object.fromEntries(levelsOf(of, { margin: 0.01 }).map(({ what, outcome }) => [what, outcome]));
}

describe("compareDoc", () => {
  it("compares all tokens where both use the same experts", () => {
    const found = compareDoc(7, outputs(), outputs({ topkIds: Uint16Array.of(1, 0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5) }));
    expect(found).toMatchObject({ docs: [7], tokens: 3, tokensNotJudged: 0, kl: { count: 2, max: 0, notFinite: 0 } });
    expect(found.layers.map(({ maxDifference }) => maxDifference)).toEqual([0, 0]);
  });

  it("compares nothing from the first token on that uses other experts in any layer", () => {
    const other = outputs({
      topkIds: Uint16Array.of(0, 1, 2, 3, 4, 5, 0, 1, 2, 9, 4, 5),
      values: [Float32Array.of(1, 2, 9, 9, 9, 9), Float32Array.of(6, 5, 9, 9, 9, 9)],
      logits: Float32Array.of(9, 9, 9, 0, 9, 9, 9, 0),
    });
    const found = compareDoc(7, outputs(), other);
    expect(found).toMatchObject({ tokens: 3, tokensNotJudged: 2, kl: { count: 0 } });
    expect(found.layers.map(({ count, maxDifference }) => [count, maxDifference])).toEqual([
      [2, 0],
      [2, 0],
    ]);
  });

  it("takes the distribution behind the prompt's last token as the completion's first", () => {
    const other = outputs({ logits: Float32Array.of(3, 2, 1, 0, 3, 2, 1, 0) });
    const { kl } = compareDoc(7, outputs(), other);
    expect(kl.count).toBe(2);
    expect(kl.max).toBeGreaterThan(0.5);
    expect(kl.sum).toBe(kl.max);
  });
});

describe("levelsOf", () => {
  it("passes what holds, and says of the rest that it was not judged", () => {
    expect(outcomes(held)).toEqual({
      "routing data": "pass",
      "experts, as sets": "pass",
      "weights, by id": "pass",
      "layer outputs": "not judged",
      "KL divergence of the next token": "not judged",
      "log-probabilities": "pass",
      "greedy texts": "not judged",
      "answers, strict-match": "pass",
      "answers, flexible-extract": "pass",
    });
    const parity = { kind: "not judged", reason: "nothing was seen" } as const;
    const unseen = levelsOf({ ...held, parity }, { margin: 0.01 });
    expect(unseen.filter(({ level }) => level <= 2).map(({ outcome, found }) => [outcome, found])).toEqual([
      ["not judged", "nothing was seen"],
      ["not judged", "nothing was seen"],
      ["not judged", "nothing was seen"],
    ]);
  });

  it("fails the level that a fault is on, and no other", () => {
    expect(outcomes(broken)["experts, as sets"]).toBe("fail");
    const fails = (of: Comparison): string[] =>
      levelsOf(of, { margin: 0.01 }).flatMap(({ what, outcome }) => (outcome === "fail" ? [what] : []));
    const sound = held.parity as JudgedParity;
    const parity = { ...sound, invariants: { ...sound.invariants, broken: 3, firstBroken: "hist" } };
    expect(fails({ ...held, parity })).toEqual(["routing data"]);
    const layers = sound.routing.layers.map((layer) => ({ ...layer, weights: { ...layer.weights, max: 1e-3 } }));
    expect(fails({ ...held, parity: { ...sound, routing: { ...sound.routing, layers } } })).toEqual(["weights, by id"]);
    const tied = sound.routing.layers.map((layer) => ({
      ...layer,
      ties: { both: 0, onlyBaseline: 0, onlyFused: 20 },
    }));
    expect(fails({ ...held, parity: { ...sound, routing: { ...sound.routing, layers: tied } } })).toEqual([
      "experts, as sets",
    ]);
  });

  it("holds layer outputs and divergence to their thresholds, and the verdict with them", () => {
    const judged: JudgedOutputs = compareDoc(0, outputs(), outputs());
    const fine = { ...held, outputs: judged };
    expect(outcomes(fine)).toMatchObject({ "layer outputs": "pass", "KL divergence of the next token": "pass" });
    expect(outputFaults(judged)).toEqual([]);
    const [first, second] = judged.layers;
    const wrong = { ...judged, layers: [first!, { ...second!, squaredDifferences: second!.squares * 1e-6 }] };
    expect(outputFaults(wrong)).toEqual([
      expect.stringMatching(/^layer outputs: 0\.001 of their size in layer 2, .*, more than 1\.00e-4 of their size/),
    ]);
    expect(outputFaults({ ...judged, kl: { ...judged.kl, max: 1e-5 } })).toHaveLength(1);
    expect(outputFaults({ ...judged, kl: { ...judged.kl, notFinite: 1 } })).toHaveLength(1);
    const { variants, paired, parity, logprobs } = held;
    const verdict = judge(variants, paired, parity, [], logprobs, { margin: 0.01, otherFaults: ["a"] });
    expect(verdict).toMatchObject({ outcome: "regressed", held: false, reasons: ["a"] });
  });
});
