import { describe, expect, it } from "vitest";
import { DivergenceTally } from "../../metrics/text-divergence.ts";

const answer = (
  text: string,
  tokenIds?: readonly number[],
): { text: string; tokenIds?: readonly number[] | undefined } => ({
  text,
  tokenIds,
});

describe("DivergenceTally", () => {
  it("finds the first token that differs, doc by doc", () => {
    const tally = new DivergenceTally();
    tally.add(0, answer("a b", [1, 2]), answer("a b", [1, 2]));
    tally.add(3, answer("a b", [1, 2]), answer("a c", [1, 3]));
    tally.add(5, answer("a b", [1, 2]), answer("a", [1]));
    tally.add(9, answer("x", [7]), answer("a", [1]));
    expect(tally.result()).toEqual({
      docs: 4,
      diverged: 3,
      unit: "token",
      medianPosition: 1,
      first: [
        { doc_id: 3, position: 1, baseline: 2, fused: 3 },
        { doc_id: 5, position: 1, baseline: 2, fused: null },
        { doc_id: 9, position: 0, baseline: 7, fused: 1 },
      ],
    });
  });

  it("goes by characters where any answer's tokens are not known", () => {
    const tally = new DivergenceTally();
    tally.add(0, answer("a b", [1, 2]), answer("a b", [9, 9]));
    tally.add(1, answer("ab🙂c"), answer("ab🙂d", [4]));
    expect(tally.result()).toEqual({
      docs: 2,
      diverged: 1,
      unit: "character",
      medianPosition: 3,
      first: [{ doc_id: 1, position: 3, baseline: "c", fused: "d" }],
    });
  });

  it("says nothing of no docs, and lists the first ten", () => {
    const tally = new DivergenceTally();
    expect(tally.result()).toMatchObject({ docs: 0, diverged: 0, medianPosition: null, first: [] });
    for (let doc = 0; doc < 12; doc++) tally.add(doc, answer("", [doc]), answer("", [-1]));
    expect(tally.result()).toMatchObject({ diverged: 12, medianPosition: 0 });
    expect(tally.result().first).toHaveLength(10);
  });
});
