import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { compareCaptures } from "../../../comparison/compare-captures.ts";
import { writeSafetensors } from "../../../engine/safetensors-writer.ts";
import type { TensorSpec } from "../../../engine/safetensors-writer.ts";
import { UserError } from "../../../errors.ts";
import type { CaptureComparison } from "../../../reports/capture-comparison.ts";
import type { CaptureSource } from "../../../runners/captures/capture-source.ts";
import type { ModelFacts } from "../../../runners/captures/model-facts.ts";
import { openCapture } from "../../../runners/captures/open-capture.ts";
import {
  bytesOf,
  changed,
  idsNpy,
  makeCapture,
  moeTrace,
  npy,
  swapLast,
  temporaryFiles,
  tokenMajor,
  writeCaptureFile,
  zip,
} from "./files.ts";
import type { TestCapture } from "./files.ts";

const file = temporaryFiles();
const capture = makeCapture([40, 25], { layers: [0, 1, 2] });
const [T, L, K] = [65, 3, 4];
const model: ModelFacts = { nExpertsTot: 16, nExpertsAct: 4 };
const ours = writeCaptureFile(file("ours.safetensors"), capture);

/** Held against our own file of the same capture. */
async function against(path: string, facts: ModelFacts = model): Promise<CaptureComparison> {
  const [a, b] = [await openCapture(ours), await openCapture(path, facts)];
  try {
    return await compareCaptures(a, b);
  } finally {
    a.close();
    b.close();
  }
}

async function refusal(path: string, facts: ModelFacts = model): Promise<string> {
  const error = await openCapture(path, facts).then(
    (source: CaptureSource) => {
      source.close();
      return new Error("it was opened");
    },
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(UserError);
  expect((error as Error).message).toContain(path);
  return (error as Error).message;
}

const weightsNpy = (of: TestCapture): Uint8Array =>
  npy("<f4", [T, L, K], bytesOf(Float32Array.from(tokenMajor(of, "weights"))));
const perToken = (values: readonly number[]): Uint8Array =>
  npy("<i8", [T], bytesOf(BigInt64Array.from(values, BigInt)));

const wrong = changed(capture, (copy) => swapLast(copy, 1, 50));

/** The same capture in each format, under a name that says nothing. */
const FORMATS: readonly [string, (of: TestCapture) => Uint8Array | string][] = [
  [".npy of int32", idsNpy],
  [".npy of uint8", (of) => npy("|u1", [T, L, K], Uint8Array.from(tokenMajor(of)))],
  [".npy of int64", (of) => npy("<i8", [T, L, K], bytesOf(BigInt64Array.from(tokenMajor(of), BigInt)))],
  [
    "ids packed with weights, as prime-rl does",
    (of) => {
      const [ids, weights] = [tokenMajor(of), new Int32Array(Float32Array.from(tokenMajor(of, "weights")).buffer)];
      const packed = Int32Array.from({ length: 2 * ids.length }, (_, at) => {
        const [row, slot] = [Math.floor(at / 8), at % 8];
        return slot < 4 ? ids[row * 4 + slot]! : weights[row * 4 + slot - 4]!;
      });
      return npy("<i4", [T, L, 2 * K], bytesOf(packed));
    },
  ],
  [".npz, stored", (of) => zip([{ name: "topk_ids.npy", data: idsNpy(of) }])],
  [
    ".npz, compressed, with all that there can be",
    (of) =>
      zip([
        { name: "routed_experts.npy", data: idsNpy(of), deflate: true },
        { name: "topk_weights.npy", data: weightsNpy(of), deflate: true },
        { name: "input_ids.npy", data: perToken(of.inputIds) },
        { name: "doc_index.npy", data: perToken(of.docIndex) },
        { name: "position.npy", data: perToken(of.position), deflate: true },
      ]),
  ],
  ["moe-trace", (of) => moeTrace(of, [40, 10, 1, 1, 13])],
  [
    "moe-trace with a header and Windows line ends",
    (of) => `layer,expert\r\n${moeTrace(of, [65]).replaceAll("\n", "\r\n")}`,
  ],
];

describe("openCapture", () => {
  it.each(FORMATS)("%s: the same capture, and one wrong choice in it", async (_, write) => {
    const same = await against(file("same", write(capture)));
    expect(same.verdict.held).toBe(true);
    expect(same.routing).toMatchObject({ tokens: T, tokensAffected: 0, layers: [{ entries: 260 }, {}, {}] });
    const other = await against(file("other", write(wrong)));
    expect(other.verdict.held).toBe(false);
    expect(other.routing.firstUnexplained).toEqual({ doc_id: 3, position: 10, layer: 1 });
  });

  it("compares weights where a foreign format has them", async () => {
    const [, packed] = FORMATS[3]!;
    const off = changed(capture, (copy) => void (copy.weights[2]![4]! += 0.5));
    const { known, detail, verdict } = await against(file("packed", packed(off)));
    expect(known.weights).toBe(true);
    expect(verdict.held).toBe(false);
    expect(detail.firstWeightBeyond).toEqual({ doc_id: 0, position: 1, layer: 2 });
  });

  it("leaves dense layers out, by config or by flag", async () => {
    const dense = npy(
      "<i4",
      [T, L + 1, K],
      bytesOf(
        Int32Array.from(
          capture.inputIds.flatMap((_, t) => [0, 0, 0, 0, ...tokenMajor(capture).slice(t * 12, t * 12 + 12)]),
        ),
      ),
    );
    const path = file("dense.npy", dense);
    const layout = { nLayers: 4, moeLayers: [1, 2, 3], nExpertsTot: 16, nExpertsAct: 4 };
    for (const facts of [{ layout }, { nExpertsTot: 16, denseLayers: [0] }]) {
      const source = await openCapture(path, facts);
      expect(source).toMatchObject({ layers: [1, 2, 3], nExpertsAct: 4, nExpertsTot: 16 });
      expect([...source.ids(0, 1, 2)]).toEqual(capture.ids[0]!.slice(4, 8));
      source.close();
    }
    const moeOnly = await openCapture(file("moe.npy", idsNpy(capture)), { layout });
    expect(moeOnly.layers).toEqual([1, 2, 3]);
    moeOnly.close();
    expect(await refusal(path, { layout: { ...layout, nLayers: 9 } })).toMatch(/4 layers, but .* 9, 3 of them/);
  });

  it("leaves out llama.cpp's last layer where it lacks tokens, and says so", async () => {
    const source = await openCapture(file("trace.csv", moeTrace(capture, [60, 5], 1)), model);
    expect(source).toMatchObject({ layers: [0, 1], nTokens: T });
    expect(source.notes.join()).toMatch(/layer 2 is left out/);
    expect([...source.ids(1, 60, 62)]).toEqual(capture.ids[1]!.slice(240, 248));
    source.close();
  });

  it("leaves no scratch files behind", async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("fusecheck-capture-"));
    const [, compressed] = FORMATS[5]!;
    (await openCapture(file("c.npz", compressed(capture)), model)).close();
    (await openCapture(file("c.csv", moeTrace(capture, [65])), model)).close();
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("fusecheck-capture-"))).toEqual(before);
  });
});

describe("refuses", () => {
  const ids = idsNpy(capture);
  const member = (name: string, data: Uint8Array = ids): { name: string; data: Uint8Array } => ({ name, data });
  const pickle = Buffer.from("\u0080\u0002}q\u0000.", "latin1");

  it.each<[string, Uint8Array | string, RegExp, ModelFacts?]>([
    ["an empty file", "", /in no format that is known/],
    ["something else", "hello\n", /in no format that is known: a capture file/],
    ["a pickle", pickle, /Python pickle .* torch.load\(..., weights_only=True\) and np.savez/],
    ["a torch archive", zip([{ name: "archive/data.pkl", data: pickle }]), /Python pickle/],
    ["ids without E", ids, /does not say how many experts there are; give --model-config/, {}],
    ["another K", ids, /4 ids per token and layer, but the model has K = 6/, { nExpertsTot: 16, nExpertsAct: 6 }],
    ["K beyond E", ids, /there are only 3 experts/, { nExpertsTot: 3 }],
    ["a dense layer that is not there", ids, /no layer 7; it has 3/, { nExpertsTot: 16, denseLayers: [7] }],
    ["floats as ids", npy("<f4", [1, 1, 1], new Uint8Array(4)), /ids are <f4, not integers/],
    ["two dimensions", npy("<i4", [1, 4], new Uint8Array(16)), /shape \(1, 4\), not \(tokens, layers/],
    ["no tokens", npy("<i4", [0, 3, 4], new Uint8Array(0)), /nothing in it/],
    ["Fortran order", npy("<i4", [1, 1, 4], new Uint8Array(16), true), /Fortran order/],
    ["a truncated array", ids.subarray(0, -1), /needs 3120 bytes, and 3119 are there/],
    ["a huge claim", npy("<i4", [2 ** 53 - 1, 3, 4], new Uint8Array(16)), /truncated/],
    ["a truncated archive", zip([member("topk_ids.npy")]).subarray(0, -30), /not a usable .npz archive/],
    ["an archive without ids", zip([member("position.npy")]), /no array "topk_ids"/],
    ["an unknown array", zip([member("topk_ids.npy"), member("x.npy")]), /array "x" is none of a capture's/],
    ["an array twice", zip([member("topk_ids.npy"), member("topk_ids.npy")]), /"topk_ids" twice/],
    ["ids twice", zip([member("topk_ids.npy"), member("routed_experts.npy")]), /both topk_ids and routed_experts/],
    ["a member with a path", zip([member("../topk_ids.npy")]), /not a usable .npz archive/],
    ["too many members", zip(Array.from({ length: 65 }, (_, at) => member(`a${at}.npy`, pickle))), /65 members/],
    [
      "a member longer than it says",
      zip([{ ...member("topk_ids.npy"), deflate: true, claimed: 100 }]),
      /topk_ids|too many bytes/,
    ],
    [
      "weights of another shape",
      zip([member("topk_ids.npy"), member("topk_weights.npy", npy("<f4", [1], new Uint8Array(4)))]),
      /its weights are <f4 of shape \(1\)/,
    ],
    [
      "too few input ids",
      zip([member("topk_ids.npy"), member("input_ids.npy", npy("<i4", [1], new Uint8Array(4)))]),
      /its inputIds is <i4 of shape \(1\)/,
    ],
    ["a trace without K", moeTrace(capture, [65]), /how many experts a token has/, { nExpertsTot: 16 }],
    ["a trace cut in a line", moeTrace(capture, [65]).slice(0, -1), /line 780: the line has no end/],
    ["a trace cut in a token", moeTrace(capture, [65]).slice(0, -4), /259 rows, not a multiple of K = 4/],
    [
      "a trace that lacks a token in a layer that is not the last",
      "0,0\n0,1\n1,0\n2,0\n2,1\n",
      /batch 1, layer 1 has 1 rows, the layers before it 2/,
      { nExpertsTot: 4, nExpertsAct: 1 },
    ],
    ["a trace with words in it", `${moeTrace(capture, [2])}x,1\n`, /line 25: something else than a number/],
    ["a trace of an absurd layer", "5000,1\n", /line 1: layer 5000/],
    ["a trace with three numbers", "1,2,3\n", /in no format that is known/],
    ["a trace with three numbers later", "1,2\n1,2,3\n", /line 2: .* too many/],
    [
      "a trace whose batches differ",
      "0,1\n1,1\n0,1\n2,1\n",
      /batch 2 has layers 0, 2, the first 0, 1/,
      { nExpertsTot: 4, nExpertsAct: 1 },
    ],
  ])("%s", async (_, content, message, facts) => {
    expect(await refusal(file("bad", content), facts)).toMatch(message);
  });

  it("what is no file", async () => {
    const folder = file("folder");
    mkdirSync(folder);
    expect(await refusal(folder)).toMatch(/not a file/);
    expect(await refusal(file("missing"))).toMatch(/ENOENT/);
  });

  const tensor = (
    name: string,
    dtype: "U8" | "F32" | "I32",
    shape: readonly number[],
  ): TensorSpec & { data: Uint8Array | Float32Array | Int32Array } => {
    const size = shape.reduce((product, n) => product * n, 1);
    const data = { U8: new Uint8Array(size), F32: new Float32Array(size), I32: new Int32Array(size) }[dtype];
    return { name, dtype, shape, data };
  };
  const metadata = { n_expts_tot: "16", n_expts_act: "4", moe_layers: "1" };
  const sound = tensor("layers.1.topk_ids", "U8", [2, 4]);

  it.each<[string, readonly ReturnType<typeof tensor>[], Readonly<Record<string, string>>, RegExp]>([
    ["no metadata", [tensor("layers.1.topk_ids", "U8", [2, 4])], {}, /no "n_expts_tot"/],
    ["an absurd E", [], { ...metadata, n_expts_tot: "9007199254740993" }, /"n_expts_tot" is "9007199254740993"/],
    ["K beyond E", [], { ...metadata, n_expts_act: "17" }, /"n_expts_act" is "17", not a whole number from 1 to 16/],
    ["no layers", [], { ...metadata, moe_layers: "" }, /"moe_layers" is ""/],
    ["layers twice", [], { ...metadata, moe_layers: "1,1" }, /not layer numbers in rising order/],
    [
      "scores without rows",
      [sound, tensor("layers.1.close_scores", "F32", [1, 16])],
      metadata,
      /no "close_rows" of I32/,
    ],
    [
      "scores of another E",
      [sound, tensor("layers.1.close_rows", "I32", [1]), tensor("layers.1.close_scores", "F32", [1, 8])],
      metadata,
      /no "close_scores" of F32 \[1, 16\]/,
    ],
    [
      "groups that do not divide E",
      [sound, tensor("layers.1.close_rows", "I32", [0]), tensor("layers.1.close_scores", "F32", [0, 16])],
      { ...metadata, n_group: "3" },
      /"n_group" 3 does not divide E = 16/,
    ],
    [
      "more groups kept than there are",
      [sound, tensor("layers.1.close_rows", "I32", [0]), tensor("layers.1.close_scores", "F32", [0, 16])],
      { ...metadata, n_group: "4", topk_group: "5" },
      /"topk_group" is "5"/,
    ],
    [
      "an unknown score of groups",
      [sound, tensor("layers.1.close_rows", "I32", [0]), tensor("layers.1.close_scores", "F32", [0, 16])],
      { ...metadata, group_score: "mean" },
      /"group_score" is "mean"/,
    ],
    ["a missing tensor", [], metadata, /no tensor "layers.1.topk_ids"/],
    ["no tokens", [tensor("layers.1.topk_ids", "U8", [0, 4])], metadata, /holds no tokens/],
    ["ids of floats", [tensor("layers.1.topk_ids", "F32", [2, 4])], metadata, /"layers.1.topk_ids" is F32/],
    ["another K in the tensor", [tensor("layers.1.topk_ids", "U8", [2, 3])], metadata, /shape \[2, 3\], not \[2, 4\]/],
    [
      "a layer that is not listed",
      [tensor("layers.1.topk_ids", "U8", [2, 4]), tensor("layers.2.topk_ids", "U8", [2, 4])],
      metadata,
      /"layers.2.topk_ids" is of a layer that its metadata's "moe_layers" does not list/,
    ],
    [
      "weights of some layers only",
      [
        ...[1, 2].map((layer) => tensor(`layers.${layer}.topk_ids`, "U8", [2, 4])),
        tensor("layers.2.topk_weights", "F32", [2, 4]),
      ],
      { ...metadata, moe_layers: "1,2" },
      /no tensor "layers.1.topk_weights"/,
    ],
    [
      "other numbers of tokens",
      [tensor("layers.1.topk_ids", "U8", [2, 4]), tensor("input_ids", "I32", [3])],
      metadata,
      /"input_ids" has shape \[3\], not \[2\]/,
    ],
  ])("a capture file with %s", async (_, tensors, facts, message) => {
    const path = file("bad.safetensors");
    writeSafetensors(path, tensors, facts);
    expect(await refusal(path)).toMatch(message);
  });

  it("a safetensors file that is cut, in its own words", async () => {
    const path = file("cut.safetensors");
    writeFileSync(path, Buffer.from([1, 2, 3]));
    expect(await refusal(path)).toMatch(/too few for a safetensors file/);
  });
});
