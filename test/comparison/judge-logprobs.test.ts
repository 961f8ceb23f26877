import { describe, expect, it } from "vitest";
import { judgeLogprobs } from "../../comparison/judge-logprobs.ts";
import type { ScoredRow } from "../../comparison/scored-journal.ts";
import { judge } from "../../comparison/verdict.ts";
import { logprobSentence } from "../../reports/findings.ts";
import { held } from "../reports/example.ts";

const bare = { tokens: 3, shape: null, invariants: null, problem: null };

function given(doc_id: number, logprobs: readonly (number | null)[]): ScoredRow {
  return { ...bare, doc_id, logprobs };
}

function named(
  doc_id: number,
  way: "given text" | "generated",
  tokens: string,
  logprobs: readonly (number | null)[],
): ScoredRow {
  return { ...bare, doc_id, logprobs, way, token_names: tokens.split("") };
}

function none(doc_id: number, reason: string): ScoredRow {
  return { ...bare, doc_id, logprobs: null, way: null, reason };
}

describe("log-probabilities", () => {
  it("of given tokens are compared one to one, as rows of older versions are", () => {
    const found = judgeLogprobs([given(0, [-1, -2])], [given(0, [-1.5, -2])]);
    expect(found).toEqual({ kind: "judged", way: "given tokens", docs: 1, count: 2, sum: 0.5, max: 0.5, notFinite: 0 });
  });

  it("of given text are compared where both make the same tokens of it", () => {
    const one = [named(0, "given text", "abc", [-1, -2, -3]), named(1, "given text", "abc", [-1, -2, -3])];
    const two = [named(0, "given text", "abc", [-1, -2, -4]), named(1, "given text", "abd", [-1, -2, -3])];
    const found = judgeLogprobs(one, two);
    const reason = "the variants make different tokens of the same text";
    expect(found).toMatchObject({ way: "given text", docs: 1, count: 3, max: 1, lacking: { docs: 1, reason } });
    expect(found.kind === "judged" && logprobSentence(found)).toContain(`1 doc could not be compared (${reason}).`);
  });

  it.each([
    ["a token that differs", "abd", [-1, -2, -3], { docs: 1, first: { doc_id: 4, token: 2 } }, 2],
    ["an earlier end", "ab", [-1, -2], { docs: 1, first: { doc_id: 4, token: 2 } }, 2],
    ["a later end", "abcd", [-1, -2, -3, -4], { docs: 1, first: { doc_id: 4, token: 3 } }, 3],
    ["nothing", "abc", [-1, -2, -3], { docs: 0, first: null }, 3],
  ])("of what both generate are compared up to %s", (_, tokens, logprobs, parted, count) => {
    const found = judgeLogprobs(
      [named(4, "generated", "abc", [-1, -2, -3])],
      [named(4, "generated", tokens, logprobs)],
    );
    expect(found).toMatchObject({ kind: "judged", way: "generated", count, max: 0, parted });
  });

  it.each([
    ["none in one variant", [none(0, "HTTP 400")], [given(0, [-1])], "baseline: HTTP 400"],
    ["none in the other", [named(0, "generated", "a", [-1])], [none(0, "refused")], "fused: refused"],
    [
      "two ways",
      [named(0, "given text", "a", [-1])],
      [named(0, "generated", "a", [-1])],
      "baseline's are of the given text, fused's of what it generates",
    ],
    [
      "nothing in common",
      [named(0, "generated", "a", [-1])],
      [named(0, "generated", "b", [-1])],
      "what each variant generates for itself differs from its first token on",
    ],
    ["no doc of both", [given(0, [-1])], [given(1, [-1])], "no doc was scored by both variants"],
  ])("are not judged for %s, in words", (_, one, two, reason) => {
    expect(judgeLogprobs(one, two)).toEqual({ kind: "not judged", reason });
  });
});

describe("the verdict on them", () => {
  const unjudged = { kind: "not judged", reason: "not offered" } as const;
  const of = (difference: number, tokens: number, last: number | null = -1): ReturnType<typeof judge> => {
    const values = Array.from({ length: tokens }, () => -1);
    const one = [given(0, [...values, -1])];
    const two = [given(0, [...values.map((value) => value - difference), last])];
    return judge(held.variants, held.paired, unjudged, [], judgeLogprobs(one, two));
  };

  it("holds for what rounding does, and says how far they lie", () => {
    const { held: holds, reasons } = of(0.04, 99);
    expect([holds, reasons.at(-1)]).toEqual([true, "log-probabilities of 100 tokens differ by 0.040 on average"]);
  });

  it("does not hold for what only faults do", () => {
    const { held: holds, reasons } = of(0.2, 99);
    expect([holds, reasons[0]]).toEqual([
      false,
      "log-probabilities of the same 100 tokens differ by 0.20 on average, more than rounding explains",
    ]);
    // Of so few, one unlikely token makes the mean.
    expect(of(0.2, 20).held).toBe(true);
  });

  it("does not hold where one variant's are no numbers", () => {
    const { held: holds, reasons } = of(0, 99, null);
    expect([holds, reasons[0]]).toEqual([false, "log-probabilities of 1 token are finite in one variant only"]);
  });
});
