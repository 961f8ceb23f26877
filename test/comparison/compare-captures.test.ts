import { describe, expect, it } from "vitest";
import { compareCaptures } from "../../comparison/compare-captures.ts";
import type { CompareCapturesOptions } from "../../comparison/compare-captures.ts";
import { UserError } from "../../errors.ts";
import type { CaptureComparison } from "../../reports/capture-comparison.ts";
import { renderCaptures } from "../../reports/capture-text.ts";
import { jsonFileText } from "../../reports/json.ts";
import { openCapture } from "../../runners/captures/open-capture.ts";
import { changed, makeCapture, swapLast, temporaryFiles, writeCaptureFile } from "../runners/captures/files.ts";
import type { TestCapture, WriteOptions } from "../runners/captures/files.ts";

const file = temporaryFiles();
const capture = makeCapture();

async function compare(
  one: TestCapture,
  two: TestCapture,
  options: CompareCapturesOptions & { readonly write?: WriteOptions } = {},
): Promise<CaptureComparison> {
  const a = await openCapture(writeCaptureFile(file("a.safetensors"), one, options.write));
  const b = await openCapture(writeCaptureFile(file("b.safetensors"), two, options.write));
  try {
    return await compareCaptures(a, b, options);
  } finally {
    a.close();
    b.close();
  }
}

describe("compareCaptures", () => {
  it("holds for equal captures, down to the last bit", async () => {
    const { routing, detail, verdict, known } = await compare(capture, capture);
    expect(verdict).toEqual({ held: true, reasons: ["every token to the same experts with the same weights"] });
    expect(known).toEqual({ inputIds: true, docs: true, weights: true, margins: true, scores: false });
    expect(routing).toMatchObject({ docs: 2, tokens: 65, tokensAffected: 0, firstDivergence: null });
    expect(detail.layers.map(({ jaccardSum }) => jaccardSum)).toEqual([65, 65, 65]);
    expect(detail.layers[0]?.weights).toEqual({ bins: [[0, 260]] });
  });

  it("finds one wrong choice: where it is, what follows from it, both rows", async () => {
    const wrong = changed(capture, (copy) => {
      swapLast(copy, 1, 50);
      swapLast(copy, 2, 55);
      swapLast(copy, 2, 10);
    });
    const { routing, detail, verdict } = await compare(capture, wrong);
    expect(verdict.held).toBe(false);
    // Token 50 is position 10 of the second doc, which is doc 3; token 10 is in another doc, before it in no sense.
    expect(routing.firstUnexplained).toEqual({ doc_id: 0, position: 10, layer: 4 });
    expect(routing.layers.map(({ unexplained, downstream }) => [unexplained, downstream])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
    ]);
    expect(routing.tokensAffected).toBe(3);
    expect(detail.layers.map(({ jaccardMin }) => jaccardMin)).toEqual([1, 0.6, 0.6]);
    expect(detail.positions.filter(({ mismatched }) => mismatched > 0)).toEqual([
      { from: 8, to: 16, choices: 48, mismatched: 3, nearTies: 0, downstream: 1, unexplained: 2 },
    ]);
    expect(detail.examples.map(({ doc_id, position, layer }) => [doc_id, position, layer])).toEqual([
      [0, 10, 4],
      [3, 10, 2],
    ]);
    expect(detail.examples[1]?.baseline.ids).toEqual(capture.ids[1]?.slice(200, 204));
    expect(detail.examples[1]?.fused.ids).toEqual(wrong.ids[1]?.slice(200, 204));
  });

  it("explains a swap by the margins of both, and only up to the limit", async () => {
    const tie = (margin: number): TestCapture => changed(capture, (copy) => void (copy.margins[1]![50] = margin));
    const swapped = (margin: number): TestCapture => changed(tie(margin), (copy) => swapLast(copy, 1, 50));
    expect((await compare(tie(9e-6), swapped(2e-6))).verdict.held).toBe(true);
    expect((await compare(tie(9e-6), swapped(2e-5))).verdict.held).toBe(false);
    expect((await compare(tie(9e-6), swapped(2e-5), { nearTieMargin: 1e-4 })).verdict.held).toBe(true);
  });

  it("is not fooled by ties that only one side has: more than chance makes are a fault", async () => {
    const withTies = (count: number): TestCapture =>
      changed(capture, (copy) => void copy.margins[1]!.fill(1e-9, 0, count));
    const few = await compare(capture, withTies(9));
    expect(few.verdict.held).toBe(true);
    expect(renderCaptures(few)).toContain("Choices so close: 0 in both, 0 in A alone, 9 in B alone.");
    const many = await compare(capture, withTies(12));
    expect(many.verdict.reasons).toEqual([
      expect.stringMatching(
        /^12 choices within rounding of a tie in the fused variant alone, 0 in the baseline alone: more/,
      ),
    ]);
    // Nor can it be the baseline's: its margins excuse as much.
    expect((await compare(withTies(12), capture)).verdict.held).toBe(false);
    // Ties that both have, and as many on either side, are those of the model.
    expect((await compare(withTies(40), withTies(45))).verdict.held).toBe(true);
    const others = changed(capture, (copy) => void copy.margins[2]!.fill(1e-9, 0, 14));
    expect((await compare(withTies(12), others)).verdict.held).toBe(true);
  });

  it("counts no ties of what follows from other experts", async () => {
    const wrong = changed(capture, (copy) => {
      swapLast(copy, 0, 0);
      copy.margins[1]!.fill(1e-9, 0, 40);
    });
    const { routing } = await compare(capture, wrong);
    expect(routing.layers.map(({ ties }) => ties.onlyFused)).toEqual([0, 0, 0]);
  });

  it("asks the scores of close choices, where a file has them, which experts tie", async () => {
    const at = capture.ids[1]!.slice(200, 204);
    const left = Array.from({ length: 16 }, (_, id) => id).filter((id) => !at.includes(id));
    // The last two chosen tie with the first two left out.
    const scores: number[] = Array.from({ length: 16 }, (_, id) => (at.slice(0, 2).includes(id) ? 0.9 : 0.1));
    for (const id of [...at.slice(2), ...left.slice(0, 2)]) scores[id] = 0.5;
    const known = changed(capture, (copy) => {
      copy.margins[1]![50] = 1e-7;
      Object.assign(copy, {
        close: [
          [],
          [
            { token: 3, scores: scores.map(() => 0) },
            { token: 50, scores },
          ],
          [],
        ],
      });
    });
    const choosing = (ids: readonly number[]): TestCapture =>
      changed({ ...known, close: [[], [], []] }, (copy) => copy.ids[1]!.splice(200, 4, ...ids));
    const tied = await compare(known, choosing([...at.slice(0, 2), ...left.slice(0, 2)]));
    expect(tied.verdict.reasons).toEqual([
      "every token to the same experts with the same weights but for 1 near-tie of 195 choices",
    ]);
    expect(tied.known.scores).toBe(true);
    expect(renderCaptures(tied)).toContain("other experts that tie by their scores");
    // A single expert, next to the cut by both margins; but it is not the one.
    const wrong = await compare(known, choosing([...at.slice(0, 3), left[5]!]));
    expect(wrong.routing.firstUnexplained).toEqual({ doc_id: 3, position: 10, layer: 2 });
    // The baseline's scores are asked wherever they stand.
    expect((await compare(choosing([...at.slice(0, 3), left[5]!]), known)).verdict.held).toBe(false);
  });

  it("takes another order for the same, and follows weights to their ids", async () => {
    const reordered = changed(capture, (copy) => {
      for (const row of [copy.ids[0]!, copy.weights[0]!]) [row[0], row[1]] = [row[1]!, row[0]!];
    });
    const { routing, verdict } = await compare(capture, reordered);
    expect(verdict.held).toBe(true);
    expect(routing.layers[0]).toMatchObject({ tokensReordered: 1, weights: { max: 0 } });
    const swappedWeights = changed(capture, (copy) => {
      const row = copy.weights[0]!;
      [row[0], row[1]] = [row[1]!, row[0]!];
    });
    expect((await compare(capture, swappedWeights)).verdict.held).toBe(false);
  });

  it("judges weights by the tolerance", async () => {
    const other = changed(capture, (copy) => void (copy.weights[2]![64 * 4 + 1]! += 1e-4));
    const { verdict, detail } = await compare(capture, other);
    expect(verdict.held).toBe(false);
    expect(detail.firstWeightBeyond).toEqual({ doc_id: 3, position: 24, layer: 4 });
    expect((await compare(capture, other, { weightTolerance: 2e-4 })).verdict.held).toBe(true);
  });

  it("has a result that JSON can hold, whatever the margins and weights are", async () => {
    const odd = changed(capture, (copy) => {
      swapLast(copy, 0, 3);
      copy.margins[0]![3] = NaN;
      copy.weights[0]![64] = 3e38;
    });
    const opposite = changed(odd, (copy) => {
      swapLast(copy, 0, 3);
      copy.weights[0]![64] = -3e38;
    });
    const comparison = await compare(odd, opposite);
    expect(comparison.routing.layers[0]?.weights.max).toBeCloseTo(6e38, -35);
    expect(comparison.detail.examples[0]?.fused.margin).toBeNull();
    expect(JSON.parse(jsonFileText(comparison))).toEqual(comparison);
    expect(renderCaptures(comparison)).not.toMatch(/NaN|Infinity/);
  });

  it("without margins allows what rounding does to one token in a thousand, and no more", async () => {
    const long = makeCapture([3000]);
    const swaps = (...tokens: number[]): TestCapture =>
      changed(long, (copy) => {
        for (const token of tokens) swapLast(copy, 0, token);
      });
    const write = { margins: false };
    expect((await compare(long, swaps(5, 6, 7), { write })).verdict.held).toBe(true);
    expect((await compare(long, swaps(5, 6, 7, 8), { write })).verdict.held).toBe(false);
  });

  it("compares long docs in stretches as it would at once", async () => {
    // A block ends after 65,536 tokens, in the middle of a doc.
    const long = makeCapture([10, 70_000], { layers: [0, 1] });
    const wrong = changed(long, (copy) => {
      swapLast(copy, 0, 60_000);
      for (const token of [5, 59_999, 60_000, 69_000]) swapLast(copy, 1, token);
    });
    const { routing } = await compare(long, wrong);
    expect(routing.layers.map(({ unexplained, downstream }) => [unexplained, downstream])).toEqual([
      [1, 0],
      [2, 2],
    ]);
    expect(routing.layers[1]?.tokensNotJudged).toBe(70_010 - 60_000);
    expect(routing).toMatchObject({ docs: 2, tokensAffected: 4 });
  });
});

describe("what cannot be compared", () => {
  const refused = async (one: TestCapture, two: TestCapture, write: WriteOptions = {}): Promise<string> => {
    const error = await compare(one, two, { write }).then(
      () => new Error("it was compared"),
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UserError);
    return (error as Error).message;
  };

  it.each([
    ["other lengths", makeCapture([40, 24]), /65 tokens, .*b.safetensors 64/],
    ["another E", { ...capture, nExpertsTot: 17 }, /16 experts \(E\), .* 17/],
    ["another K", makeCapture([40, 25], { k: 5 }), /4 experts per token \(K\), .* 5/],
    ["fewer layers", makeCapture([40, 25], { layers: [1, 2] }), /3 MoE layers, .* 2/],
    ["other layers", { ...capture, layers: [1, 2, 3] }, /MoE layer 3 of .* is layer 4 .* layer 3/],
    [
      "other tokens",
      changed(capture, (copy) => void (copy.inputIds[41]! += 1)),
      /other tokens: input_ids of token 41 \(doc 3, position 1\) is \d+ in .*a.safetensors and \d+ in .*b.safetensors/,
    ],
    ["other docs", changed(capture, (copy) => void copy.docIndex.fill(5, 40)), /doc_index of token 40 .* 3 in .* 5 in/],
    ["positions with a gap", changed(capture, (copy) => void (copy.position[64] = 99)), /position of token 64/],
  ])("%s", async (_, other, message) => {
    expect(await refused(capture, other)).toMatch(message);
  });

  it("positions that are no positions in both", async () => {
    const gap = changed(capture, (copy) => void (copy.position[64] = 99));
    expect(await refused(gap, gap)).toMatch(/position 99 follows position 23/);
  });

  const broken: readonly [string, (copy: TestCapture) => void, RegExp][] = [
    ["all zero", (copy) => copy.ids.forEach((row) => row.fill(0)), /capture broken: every id is 0/],
    ["a layer of zeros", (copy) => void copy.ids[1]!.fill(0), /every id of layer 2 is 0/],
    ["some rows of zeros", (copy) => void copy.ids[1]!.fill(0, 8, 16), /2 of 65 rows of layer 2 are all 0/],
    [
      "constant",
      (copy) => copy.ids[2]!.forEach((_, at, row) => (row[at] = at % 4)),
      /layer 4 has the same ids for at least 32 different tokens/,
    ],
    ["the same in two layers", (copy) => void (copy.ids[2] = copy.ids[0]!), /layers 1 and 4 hold the same ids/],
    ["an id twice", (copy) => void (copy.ids[0]![41] = copy.ids[0]![40]!), /layer 1, row 10: expert \d+ twice/],
    ["an id beyond E", (copy) => void (copy.ids[2]![258] = 16), /layer 4, row 64: id 16, but there are 16 experts/],
    ["a weight that is NaN", (copy) => void (copy.weights[1]![9] = NaN), /layer 2, row 2: weights that add up to NaN/],
    ["an infinite weight", (copy) => void (copy.weights[1]![9] = -Infinity), /layer 2, row 2: .* Infinity/],
    ["margins of zeros", (copy) => void copy.margins[2]!.fill(0), /every router margin of layer 4 is 0/],
  ];

  it.each(broken)("a capture that is none: %s, in either and in both", async (_, change, message) => {
    const bad = changed(capture, change);
    expect(await refused(bad, bad)).toMatch(message);
    expect(await refused(capture, bad)).toMatch(message);
    expect(await refused(bad, capture)).toMatch(message);
  });

  it("a fault far into a long capture, with the row that it has there", async () => {
    const long = makeCapture([40_000], { layers: [0, 1], k: 8, nExpertsTot: 64 });
    const bad = changed(long, (copy) => void (copy.ids[1]![39_000 * 8 + 3] = 200));
    expect(await refused(bad, bad)).toMatch(/layer 1, row 39000: id 200/);
  });
});
