/** Every form in which servers give routed experts, sound and hostile. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getForm, readCapture } from "../../../runners/routed-experts/index.ts";
import type { CaptureResult, MoeLayout, RoutedExpertsForm } from "../../../runners/routed-experts/index.ts";
import { DTYPE_NAMES, altered, int32Text, nested, npyFile, npyText, packed, soundIds } from "./encode.ts";
import type { Ids } from "./encode.ts";

const LAYOUT: MoeLayout = { nLayers: 4, moeLayers: [1, 2, 3], nExpertsTot: 16, nExpertsAct: 4 };
const ROWS = 12;
const TOKENS = { promptTokens: 9, completionTokens: 4 };
const SOUND = soundIds(LAYOUT, ROWS);
const MOE_ONLY: Ids = {
  ...SOUND,
  layers: 3,
  values: SOUND.values.filter((_, i) => Math.floor(i / SOUND.k) % SOUND.layers !== 0),
};

function read(form: RoutedExpertsForm, body: unknown, layout = LAYOUT): CaptureResult {
  return readCapture(body, { form, layout, ...TOKENS });
}

function choice(routed_experts: unknown, more: object = {}): object {
  return { choices: [{ index: 0, text: "", routed_experts }], ...more };
}

/** What must come out: [L, T, K] of the MoE layers. */
function layerMajor(ids: Ids, layers: readonly number[]): number[] {
  return layers.flatMap((layer) =>
    Array.from({ length: ids.rows }, (_, row) => {
      const from = (row * ids.layers + layer) * ids.k;
      return ids.values.slice(from, from + ids.k);
    }).flat(),
  );
}

function split(from: Ids, prompt = TOKENS.promptTokens): object {
  return choice(nested(from, prompt), { prompt_routed_experts: nested(from, 0, prompt) });
}

const text = int32Text(SOUND);
const WAYS: readonly [string, RoutedExpertsForm, unknown][] = [
  ["SGLang, sglext of the response", "sglang", { choices: [{}], sglext: { routed_experts: text } }],
  ["SGLang, sgl_ext of the response", "sglang", { sgl_ext: { routed_experts: text } }],
  ["SGLang, sglext of the choice", "sglang", { choices: [{ sglext: { routed_experts: text } }] }],
  ["SGLang, sgl_ext of the choice", "sglang", { choices: [{ sgl_ext: { routed_experts: text } }] }],
  ["SGLang, /generate", "sglang", { text: "", meta_info: { routed_experts: text } }],
  ["SGLang, a batch of /generate", "sglang", [{ meta_info: { routed_experts: text } }]],
  [
    "SGLang, null in one place and given in the other",
    "sglang",
    { sglext: { routed_experts: null }, choices: [{ sglext: { routed_experts: text } }] },
  ],
  ...DTYPE_NAMES.map((dtype): [string, RoutedExpertsForm, unknown] => [
    `vLLM, ${dtype}`,
    "vllm",
    choice(npyText(SOUND, dtype)),
  ]),
  ["vLLM, MoE layers only", "vllm", choice(npyText(MOE_ONLY, "|u1"))],
  ["vLLM 0.21, lists", "vllm", split(MOE_ONLY)],
  ["vLLM 0.21, lists of all layers", "vllm", split(SOUND)],
];

it.each(WAYS)("%s", (_, form, body) => {
  const result = read(form, body);
  expect(result).toMatchObject({
    kind: "captured",
    routing: { layers: [1, 2, 3], nTokens: ROWS, nExpertsAct: 4, nExpertsTot: 16 },
    assumedDense: [],
  });
  expect(result.kind === "captured" && [...result.routing.topkIds]).toEqual(layerMajor(SOUND, [1, 2, 3]));
  expect(result.kind === "captured" && result.routing.topkWeights).toBeUndefined();
});

it("vLLM 0.21 with a single token generated: null for the completion", () => {
  const body = choice(null, { prompt_routed_experts: nested(MOE_ONLY) });
  const result = readCapture(body, { form: "vllm", layout: LAYOUT, promptTokens: ROWS, completionTokens: 1 });
  expect(result).toMatchObject({ kind: "captured", routing: { nTokens: ROWS } });
});

describe("prime-rl: ids and weights in one array", () => {
  const weights = Array.from({ length: MOE_ONLY.values.length }, (_, i) => Math.fround(0.1 + (i % 7) / 10));

  it("gives both", () => {
    const result = read("prime-rl", choice(npyText(packed(MOE_ONLY, weights), "<i4")));
    expect(result).toMatchObject({ kind: "captured", routing: { nExpertsAct: 4 } });
    const routing = result.kind === "captured" ? result.routing : undefined;
    expect([...(routing?.topkIds ?? [])]).toEqual(layerMajor(MOE_ONLY, [0, 1, 2]));
    expect([...(routing?.topkWeights ?? [])]).toEqual(layerMajor({ ...MOE_ONLY, values: weights }, [0, 1, 2]));
  });

  it.each([
    ["NaN", NaN],
    ["infinity", Infinity],
    ["zeros", 0],
  ])("weights of %s are a broken capture", (_, bad) => {
    const spoilt = weights.map((weight, i) => (i >= 8 && i < 12 ? bad : weight));
    const result = read("prime-rl", choice(npyText(packed(MOE_ONLY, spoilt), "<i4")));
    expect(result).toMatchObject({ kind: "broken", fault: "bad-weights" });
  });

  it("ids alone are not taken for half ids, half weights", () => {
    const layout = { ...LAYOUT, nExpertsAct: 2 };
    const result = read("prime-rl", choice(npyText(MOE_ONLY, "<i4")), layout);
    expect(result).toMatchObject({ kind: "broken", fault: "bad-weights" });
    expect(read("prime-rl", choice(npyText(MOE_ONLY, "<i4")))).toMatchObject({ kind: "broken", fault: "unreadable" });
  });

  it("nor are ids and weights taken for ids", () => {
    const result = read("vllm", choice(npyText(packed(MOE_ONLY, weights), "<i4")));
    expect(result).toMatchObject({ kind: "broken", fault: "wrong-k" });
  });
});

it("what a router chose comes back from every form, for every shape", () => {
  const shapes = fc.record({
    nLayers: fc.integer({ min: 1, max: 4 }),
    nExpertsTot: fc.integer({ min: 2, max: 300 }),
    perToken: fc.integer({ min: 1, max: 6 }),
    rows: fc.integer({ min: 1, max: 20 }),
    dense: fc.integer({ min: 0, max: 3 }),
    salt: fc.string(),
  });
  fc.assert(
    fc.property(shapes, ({ nLayers, nExpertsTot, perToken, rows, dense, salt }) => {
      const moeLayers = Array.from({ length: nLayers }, (_, layer) => layer).slice(Math.min(dense, nLayers - 1));
      const layout = { nLayers, moeLayers, nExpertsTot, nExpertsAct: Math.min(perToken, nExpertsTot) };
      const ids = soundIds(layout, rows, salt);
      // One expert per token may be expert 0 throughout, which is a broken capture.
      fc.pre(ids.values.some((id) => id !== 0));
      const prompt = Math.ceil(rows / 2);
      const tokens = { promptTokens: prompt, completionTokens: rows - prompt + 1, layout };
      const dtype = nExpertsTot <= 256 ? "|u1" : "<u2";
      const results = [
        readCapture({ sglext: { routed_experts: int32Text(ids) } }, { form: "sglang", ...tokens }),
        readCapture(choice(npyText(ids, dtype)), { form: "vllm", ...tokens }),
        readCapture(split(ids, prompt), { form: "vllm", ...tokens }),
      ];
      for (const result of results) {
        expect(result.kind === "captured" ? [...result.routing.topkIds] : result).toEqual(layerMajor(ids, moeLayers));
      }
    }),
  );
});

describe("absent is not broken", () => {
  it.each<[string, RoutedExpertsForm, unknown, string, string]>([
    ["SGLang, no field", "sglang", { choices: [{}], usage: {} }, "no-field", "--enable-return-routed-experts"],
    ["SGLang, null", "sglang", { sglext: { routed_experts: null } }, "null-field", "--enable-return-routed-experts"],
    ["vLLM, no field", "vllm", { choices: [{ text: "" }] }, "no-field", "--enable-return-routed-experts"],
    ["vLLM, null", "vllm", choice(null, { prompt_routed_experts: null }), "null-field", "preempted"],
    ["no choices", "vllm", { choices: [] }, "no-field", "no choices[0].routed_experts"],
    ["nothing", "vllm", null, "no-field", "no choices[0].routed_experts"],
    ["a list", "vllm", [], "no-field", "no choices[0].routed_experts"],
  ])("%s", (_, form, body, cause, says) => {
    const result = read(form, body);
    expect(result).toMatchObject({ kind: "absent", cause });
    expect(result.kind === "absent" && result.reason).toContain(says);
  });
});

describe("hostile payloads are broken captures, in words", () => {
  const withShape = (shape: string): string =>
    npyFile("|u1", [], [1], `{'descr': '|u1', 'fortran_order': False, 'shape': ${shape}, }`).toString("base64");
  const sglext = (routed_experts: unknown): object => ({ sglext: { routed_experts } });
  const npy = npyText(SOUND, "|u1");
  const lists = nested(MOE_ONLY);
  const header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1), }";
  const floats = npyFile("<i8", [], [0], header).toString("base64");

  it.each<[string, RoutedExpertsForm, unknown, string]>([
    ["not base64", "sglang", sglext("!!!!"), "is not base64"],
    ["base64 cut off", "sglang", sglext(text.slice(0, -1)), "is not base64"],
    ["base64 with a line break", "sglang", sglext(`${text.slice(0, 75)}\n${text.slice(76)}`), "is not base64"],
    ["URL-safe base64", "sglang", sglext("_-_-"), "is not base64"],
    ["part of a row", "sglang", sglext(text.slice(0, -8)), "not a multiple of 64"],
    ["a number", "sglang", sglext(7), "is not text"],
    ["lists where text belongs", "sglang", sglext([[1]]), "is not text"],
    ["nothing in it", "sglang", sglext(""), "0 rows for 9 prompt + 4 completion - 1 = 12 tokens"],
    [".npy cut off", "vllm", choice(npy.slice(0, -8)), "(truncated?)"],
    [".npy without its start", "vllm", choice(npy.slice(8)), "does not start as one"],
    ["raw int32 without a header", "vllm", choice(text), "does not start as one"],
    ["a giant shape", "vllm", choice(withShape("(4000000000, 4000000000, 4000000000)")), "(truncated?)"],
    ["a shape beyond 2^53", "vllm", choice(withShape("(99999999999999999999, 1, 1)")), "below 2^53"],
    ["too few axes", "vllm", choice(npyFile("|u1", [4, 4], SOUND.values.slice(0, 16)).toString("base64")), "(4, 4)"],
    ["floats", "vllm", choice(floats), 'dtype "<f8"; known are'],
    ["an object", "vllm", choice({ data: "x" }), "neither text nor lists but an object"],
    ["ragged rows", "vllm", choice([...lists.slice(1), [[1, 2, 3, 4]]]), "ragged: row 11 has 1 layers, not 3"],
    ["ragged ids", "vllm", choice([...lists.slice(1), [[1], [2], [3]]]), "ragged: row 11 has 1 ids in layer 0, not 4"],
    ["NaN, which JSON writes as null", "vllm", choice([[[null, 1, 2, 3]]]), "holds null, which is no expert id"],
    ["a fraction", "vllm", choice([[[0.5, 1, 2, 3]]]), "holds 0.5, which is no expert id"],
    ["text for an id", "vllm", choice([[["sk-key", 1, 2, 3]]]), "holds text, which is no expert id"],
    ["beyond 32 bits", "vllm", choice([[[2 ** 40, 1, 2, 3]]]), "which is no expert id"],
    ["lists of lists of no lists", "vllm", choice([[1, 2]]), "[0][0] is 1, not a list"],
    ["no list of lists", "vllm", choice(["abc"]), "[0] is text, not a list"],
    [
      "parts of two shapes",
      "vllm",
      choice([[[1]]], { prompt_routed_experts: nested(MOE_ONLY, 0, 9) }),
      "the completion's 1 of 1",
    ],
    [
      "a prompt without its completion",
      "vllm",
      choice(null, { prompt_routed_experts: lists.slice(0, 9) }),
      "is null, not a list",
    ],
  ])("%s", (_, form, body, says) => {
    const result = read(form, body);
    expect(result.kind).toBe("broken");
    expect(result.kind === "broken" && result.reason).toMatch(/^capture broken: /);
    expect(result.kind === "broken" && result.reason).toContain(says);
    expect(JSON.stringify(result)).not.toContain("sk-key");
  });

  it("no mutation of a payload crashes, and none of its ids passes for the original", () => {
    const payload = npyText(MOE_ONLY, "|u1");
    const original = layerMajor(MOE_ONLY, [0, 1, 2]).join();
    // The header's 128 bytes hold padding, which may be anything; the last characters, bits that mean nothing.
    const [firstId, end] = [Math.ceil((128 * 4) / 3), payload.length - 4];
    const positions = fc.integer({ min: 0, max: end - 1 });
    fc.assert(
      fc.property(
        positions,
        fc.constantFrom("A", "B", "a", "z", "0", "9", "+", "/", "=", "-", "\n", "\0"),
        (at, letter) => {
          fc.pre(payload[at] !== letter);
          const result = read("vllm", choice(payload.slice(0, at) + letter + payload.slice(at + 1)));
          expect(["captured", "broken"]).toContain(result.kind);
          const same = result.kind === "captured" && [...result.routing.topkIds].join() === original;
          expect(same && at >= firstId).toBe(false);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

it("64-bit ids that no expert has are out of range, not cut to 32 bits", () => {
  const wrong = altered(SOUND, (id, row, layer, slot) => (row === 5 && layer === 2 && slot === 0 ? 2 ** 32 + 1 : id));
  expect(read("vllm", choice(npyText(wrong, "<i8")))).toMatchObject({ kind: "broken", fault: "out-of-range" });
});

it("an unknown form lists those there are", () => {
  expect(() => getForm("sglan")).toThrow(
    'no form of routed experts "sglan" (did you mean "sglang"?); there are: sglang',
  );
  expect(() => getForm("constructor")).toThrow("no form of routed experts");
});

describe("a -1 in a type that has none", () => {
  const first = { layer: 1, slot: 0 };
  const holding = (id: number): Ids => {
    const values = [...SOUND.values];
    values[first.layer * SOUND.k + first.slot] = id;
    return { ...SOUND, values };
  };

  it.each([
    ["|u1", 0xff],
    ["<u2", 0xffff],
  ] as const)("of %s is %d: a cached row, not an expert out of range", (dtype, wrapped) => {
    const { kind, ...rest } = read("vllm", choice(npyText(holding(wrapped), dtype)));
    expect([kind, rest]).toEqual(["broken", expect.objectContaining({ fault: "cached" })]);
  });

  it("is an expert where there are so many", () => {
    const layout = { ...LAYOUT, nExpertsTot: 256 };
    expect(read("vllm", choice(npyText(holding(0xff), "|u1")), layout).kind).toBe("captured");
    const other = read("vllm", choice(npyText(holding(0xfe), "|u1")), { ...LAYOUT, nExpertsTot: 200 });
    expect(other).toMatchObject({ kind: "broken", fault: "out-of-range" });
  });
});
