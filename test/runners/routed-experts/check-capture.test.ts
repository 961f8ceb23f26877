/** The ways in which engines give a capture that is none: each is found, and none is taken for another. */
import { describe, expect, it } from "vitest";
import { MIN_DISTINCT_TOKENS, checkCapture, settleAcrossDocs } from "../../../runners/routed-experts/index.ts";
import type { CaptureResult, ExpectedTokens, MoeLayout } from "../../../runners/routed-experts/index.ts";
import { altered, soundIds } from "./encode.ts";
import type { Ids } from "./encode.ts";

const LAYOUT: MoeLayout = { nLayers: 5, moeLayers: [1, 2, 3, 4], nExpertsTot: 32, nExpertsAct: 4 };
const ROWS = 60;
const TOKENS = { promptTokens: 50, completionTokens: 11 };
const DIFFERENT = Array.from({ length: 61 }, (_, i) => i + 100);
const SOUND = soundIds(LAYOUT, ROWS);

function check(ids: Ids, layout = LAYOUT, tokens: ExpectedTokens = { ...TOKENS, inputIds: DIFFERENT }): CaptureResult {
  const { rows, layers, k, values } = ids;
  return checkCapture({ rows, layers, k, ids: Int32Array.from(values) }, tokens, layout);
}

/** The first rows, or some in front of them. */
function withRows(ids: Ids, rows: number): Ids {
  const width = ids.layers * ids.k;
  const more = ids.values.slice(0, Math.max(0, rows - ids.rows) * width);
  return { ...ids, rows, values: [...more, ...ids.values].slice(0, rows * width) };
}

it("a sound capture passes, its dense layer left out", () => {
  expect(check(SOUND)).toMatchObject({
    kind: "captured",
    routing: { layers: [1, 2, 3, 4], nTokens: ROWS },
    assumedDense: [],
  });
});

describe("broken", () => {
  const firstMoe = 1;
  it.each<[string, string, string, Ids]>([
    [
      "FlashInfer's monolithic kernels record nothing (vLLM #44116)",
      "all-zero",
      "every id is 0: the MoE kernel chooses experts inside itself",
      altered(SOUND, () => 0),
    ],
    [
      "one layer records nothing",
      "zero-layer",
      "every id of layer 3 is 0",
      altered(SOUND, (id, _, layer) => (layer === 3 ? 0 : id)),
    ],
    [
      "most layers record nothing",
      "zero-layer",
      "every id of layer 2 (and 2 more) is 0",
      altered(SOUND, (id, _, layer) => (layer >= 2 ? 0 : id)),
    ],
    [
      "prompt rows of hybrid-attention models are zero (tpu-inference #3583)",
      "zero-rows",
      "50 of 60 rows of layer 1 (and 3 more) are all 0",
      altered(SOUND, (id, row) => (row < 50 ? 0 : id)),
    ],
    [
      "a single row in a single layer",
      "zero-rows",
      "1 of 60 rows of layer 4 are all 0",
      altered(SOUND, (id, row, layer) => (row === 59 && layer === 4 ? 0 : id)),
    ],
    [
      "prefix-cached rows (vLLM 0.21)",
      "cached",
      "32 of 60 rows hold -1 in layer 1 (and 3 more): their prefix was cached",
      altered(SOUND, (id, row, layer) => (row < 32 && layer > 0 ? -1 : id)),
    ],
    [
      "an id that no expert has",
      "out-of-range",
      "layer 2, row 7: id 32, but there are 32 experts",
      altered(SOUND, (id, row, layer, slot) => (row === 7 && layer === 2 && slot === 3 ? 32 : id)),
    ],
    [
      "a negative id that is not -1",
      "out-of-range",
      "row 0: id -2147483648",
      altered(SOUND, (id, row, layer, slot) => (row === 0 && layer === 2 && slot === 0 ? -(2 ** 31) : id)),
    ],
    [
      "a draft model of more experts overwrites the first layer (vLLM #48622)",
      "out-of-range",
      "no other layer is wrong: a draft model overwrites it",
      altered(SOUND, (id, _, layer) => (layer === firstMoe ? id + 32 : id)),
    ],
    [
      "a draft model writes where the target is dense",
      "dense-layer",
      "layer 0 is dense by the model's config but carries ids: a draft model wrote its own there",
      altered(SOUND, (id, row, layer, slot) => (layer === 0 ? (row + slot * 3) % 32 : id)),
    ],
    [
      "the same ids for every token where the target is dense",
      "dense-layer",
      "layer 0 is dense by the model's config but carries ids",
      altered(SOUND, (id, _, layer, slot) => (layer === 0 ? 3 + slot : id)),
    ],
    [
      "an expert twice",
      "duplicate-ids",
      "layer 3, row 40: expert 9 twice, where 4 different ones are chosen",
      altered(SOUND, (id, row, layer, slot) => (row === 40 && layer === 3 ? [9, 1, 9, 2][slot]! : id)),
    ],
    [
      "the same ids for every token",
      "constant",
      "layer 2 has the same ids for 60 different tokens",
      altered(SOUND, (id, _, layer, slot) => (layer === 2 ? [4, 9, 1, 30][slot]! : id)),
    ],
    [
      "a layer's ids in the place of another's",
      "same-layers",
      "layers 1 and 4 hold the same ids for all of 60 rows",
      altered(SOUND, (id, row, layer, slot) => (layer === 4 ? SOUND.values[(row * 5 + 1) * 4 + slot]! : id)),
    ],
    ["a row short", "missing-rows", "59 rows for 50 prompt + 11 completion - 1 = 60 tokens", withRows(SOUND, 59)],
    ["the prompt only", "missing-rows", "50 rows for", withRows(SOUND, 50)],
    ["no rows", "missing-rows", "0 rows for", withRows(SOUND, 0)],
    ["rows twice, as CUDA graphs once gave (SGLang #12162)", "extra-rows", "71 rows for", withRows(SOUND, 71)],
    [
      "another K",
      "wrong-k",
      "2 ids per token and layer, but the model's config says 4",
      { ...SOUND, k: 2, layers: 10 },
    ],
    [
      "other layers",
      "wrong-layers",
      "10 layers, but the model's config says 5, 4 of them with experts",
      soundIds({ ...LAYOUT, nLayers: 10, moeLayers: "unknown" }, ROWS),
    ],
  ])("%s: %s", (_, fault, says, ids) => {
    const result = check(ids);
    expect(result).toMatchObject({ kind: "broken", fault });
    expect(result.kind === "broken" && result.reason).toMatch(/^capture broken: /);
    expect(result.kind === "broken" && result.reason).toContain(says);
  });

  it("rows are counted from where they were asked to start", () => {
    const late = withRows(SOUND, 40);
    expect(check(late, LAYOUT, { ...TOKENS, start: 20 })).toMatchObject({ kind: "captured" });
    expect(check(SOUND, LAYOUT, { ...TOKENS, start: 20 })).toMatchObject({ fault: "extra-rows" });
    expect(check(late, LAYOUT, { ...TOKENS, start: 19 })).toMatchObject({ fault: "missing-rows" });
  });
});

describe("constant ids are suspicious only where tokens differ", () => {
  const constant = altered(SOUND, (_, __, layer, slot) => (layer === 0 ? 0 : [layer, 9, 12, 30][slot]!));
  const tokens = (distinct: number): ExpectedTokens => ({
    ...TOKENS,
    inputIds: DIFFERENT.map((id, i) => (i < distinct ? id : DIFFERENT[0]!)),
  });

  it("one word, repeated, may go one way", () => {
    expect(check(constant, LAYOUT, tokens(MIN_DISTINCT_TOKENS - 1))).toMatchObject({ kind: "captured" });
    expect(check(constant, LAYOUT, tokens(MIN_DISTINCT_TOKENS))).toMatchObject({ fault: "constant" });
  });

  it("the token that is not run does not count", () => {
    const last = DIFFERENT.map((id, i) => (i < MIN_DISTINCT_TOKENS - 1 || i === 60 ? id : DIFFERENT[0]!));
    expect(check(constant, LAYOUT, { ...TOKENS, inputIds: last })).toMatchObject({ kind: "captured" });
  });

  it("where tokens are not known, every row counts as another", () => {
    expect(check(constant, LAYOUT, TOKENS)).toMatchObject({ fault: "constant" });
  });

  it("another order is another choice", () => {
    const turned = altered(constant, (id, row, layer, slot) =>
      row === 30 && layer > 0 ? [9, layer, 12, 30][slot]! : id,
    );
    // Every layer is turned alike, but begins with its own expert.
    expect(check(turned)).toMatchObject({ kind: "captured" });
  });

  it("where every token uses every expert, all rows are the same", () => {
    const layout = { ...LAYOUT, nExpertsTot: 4 };
    expect(check(soundIds(layout, ROWS), layout)).toMatchObject({ kind: "captured" });
    const ordered = altered(SOUND, (_, __, layer, slot) => (layer === 0 ? 0 : slot));
    expect(check(ordered, layout)).toMatchObject({ kind: "captured" });
  });
});

describe("dense layers", () => {
  const unknown: MoeLayout = { ...LAYOUT, moeLayers: "unknown" };

  it("nobody says which: leading zeros are taken for dense, and named", () => {
    expect(check(SOUND, unknown)).toMatchObject({
      kind: "captured",
      assumedDense: [0],
      routing: { layers: [1, 2, 3, 4] },
    });
  });

  it("nobody says which: zeros further back are broken", () => {
    const behind = altered(SOUND, (id, _, layer) => (layer === 2 ? 0 : id));
    expect(check(behind, unknown)).toMatchObject({ fault: "zero-layer" });
  });

  it("nobody says which: zeros throughout are broken", () => {
    expect(
      check(
        altered(SOUND, () => 0),
        unknown,
      ),
    ).toMatchObject({ fault: "all-zero" });
  });

  it("the config says that the first has experts: zeros there are broken, too", () => {
    const layout = { ...LAYOUT, moeLayers: [0, 1, 2, 3, 4] };
    expect(check(SOUND, layout)).toMatchObject({ fault: "zero-layer" });
  });

  it.each([0, -1, 77])("what an engine leaves in a dense layer (%d) does not matter", (fill) => {
    expect(check(altered(SOUND, (id, _, layer) => (layer === 0 ? fill : id)))).toMatchObject({ kind: "captured" });
  });

  it("one expert per token: zeros may be a choice, but not all of them", () => {
    const single: MoeLayout = { nLayers: 2, moeLayers: [0, 1], nExpertsTot: 8, nExpertsAct: 1 };
    const some = soundIds(single, ROWS);
    expect(some.values).toContain(0);
    expect(check(some, single)).toMatchObject({ kind: "captured" });
    expect(
      check(
        altered(some, () => 0),
        single,
      ),
    ).toMatchObject({ fault: "all-zero" });
    expect(
      check(
        altered(some, (id, _, layer) => (layer === 0 ? 0 : id)),
        single,
      ),
    ).toMatchObject({ fault: "constant" });
    const unsaid: MoeLayout = { ...single, moeLayers: "unknown" };
    expect(
      check(
        altered(some, (id, _, layer) => (layer === 0 ? 0 : id)),
        unsaid,
      ),
    ).toMatchObject({ fault: "constant" });
  });
});

it("a doc without a capture among docs with one lost it; where no doc has one, the flag is off", () => {
  const captured = check(SOUND);
  const none: CaptureResult = { kind: "absent", cause: "null-field", reason: "null" };
  const untold: CaptureResult = { kind: "absent", cause: "no-tokens", reason: "no ids" };
  expect(settleAcrossDocs([none, none])).toEqual([none, none]);
  expect(settleAcrossDocs([none, captured, untold])).toEqual([
    { kind: "broken", fault: "dropped", reason: expect.stringContaining("capture broken: ") as string },
    captured,
    untold,
  ]);
});
