import { describe, expect, it } from "vitest";
import { CompactMarks } from "../../comparison/compact-marks.ts";
import type { MarksByDoc } from "../../comparison/compact-marks.ts";
import { pairDocs } from "../../comparison/pair-docs.ts";
import { getTask } from "../../tasks/index.ts";
import type { Marked } from "../../tasks/index.ts";

const task = getTask("gsm_synth");

/** Marks of docs whose strict and flexible marks are given as two digits, such as "01". */
function marks(docs: Readonly<Record<number, string>>): MarksByDoc {
  const marked = (digit: string | undefined): Marked => ({
    extracted: `found ${digit}`,
    exactMatch: digit === "1" ? 1 : 0,
  });
  const all = new CompactMarks(["strict-match", "flexible-extract"], 10);
  for (const [id, [strict, flexible]] of Object.entries(docs)) {
    all.set(
      Number(id),
      new Map([
        ["strict-match", marked(strict)],
        ["flexible-extract", marked(flexible)],
      ]),
    );
  }
  return all;
}

describe("pairDocs", () => {
  it("counts the docs of each cell, filter by filter", () => {
    const { paired } = pairDocs(
      task,
      marks({ 0: "11", 1: "11", 2: "01", 3: "00" }),
      marks({ 0: "11", 1: "01", 2: "11", 3: "00" }),
    );
    expect(paired).toMatchObject([
      { filter: "strict-match", n: 4, bothRight: 1, onlyBaseline: 1, onlyFused: 1, bothWrong: 1 },
      { filter: "flexible-extract", n: 4, bothRight: 3, onlyBaseline: 0, onlyFused: 0, bothWrong: 1 },
    ]);
  });

  it("leaves out docs that only one variant answered, and counts them", () => {
    const { paired, flips, unpaired } = pairDocs(
      task,
      marks({ 0: "11", 1: "11", 5: "11" }),
      marks({ 1: "11", 5: "00", 7: "00" }),
    );
    expect(paired.map(({ n }) => n)).toEqual([2, 2]);
    expect(unpaired).toEqual({ baseline: 1, fused: 1 });
    expect(flips.map(({ doc_id: id }) => id)).toEqual([5, 5]);
  });

  it("lists a flip under the filter that shows it, with both answers", () => {
    const { flips } = pairDocs(task, marks({ 3: "01" }), marks({ 3: "11" }));
    expect(flips).toEqual([
      {
        doc_id: 3,
        filter: "strict-match",
        baseline: { extracted: "found 0", exact_match: 0 },
        fused: { extracted: "found 1", exact_match: 1 },
      },
    ]);
  });

  it("says so where no doc was answered by both", () => {
    const { paired } = pairDocs(task, marks({ 0: "11" }), marks({ 1: "11" }));
    expect(paired.map(({ n, difference }) => [n, difference.kind])).toEqual([
      [0, "no docs"],
      [0, "no docs"],
    ]);
  });
});
