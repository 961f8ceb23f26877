/** Dumps from anywhere: sound ones pass, broken ones are named to the place, and what cannot be judged is refused. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { float32ToHalf } from "../../engine/half-floats.ts";
import { expertData } from "../../engine/routing/expert-tiles.ts";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import { UserError } from "../../errors.ts";
import { checkDump, type CheckedDump } from "../../parity/check-dump.ts";
import { dumpText } from "../../parity/report-text.ts";
import { writeRoutingInputs } from "../../parity/write-inputs.ts";
import { dumpFolder, INPUT, int32, soundTensors, type Tensors } from "./dump-file.ts";

const folder = dumpFolder();

function checkAfter(spoil: (tensors: Tensors) => void, tensors = soundTensors()): CheckedDump {
  spoil(tensors);
  return checkDump(folder.write("spoiled", tensors));
}

function broken({ results }: CheckedDump): string[] {
  return results.filter(({ report }) => report.violationCount > 0).map(({ implementation }) => implementation);
}

/** Element `at` of a tensor. */
function change(tensors: Tensors, name: string, at: number, value: number): void {
  const { data } = tensors.get(name)!;
  (data as Int32Array)[at] = value;
}

const golden = fileURLToPath(new URL("../../../shared/routing/aiter_dumps.safetensors", import.meta.url));

it.skipIf(!existsSync(golden))("the GPU kernels' dumps are sound (needs ../shared/routing)", () => {
  const dump = checkDump(golden);
  expect(dump.results).toHaveLength(8);
  expect(broken(dump)).toEqual([]);
  expect(dumpText(dump).join("\n")).toMatch(/4 cases, 8 answers, 1,808 entries[^]*implementations: fused, ref\nHeld/);
});

describe("a sound dump", () => {
  it("passes, whatever the width of its integers", () => {
    const dump = checkAfter((tensors) => {
      const { hist, topkIndx } = fusedRoutingFromTopk(INPUT);
      tensors.set("c.topk_ids", { dtype: "I16", shape: [3, 2], data: Int16Array.from(INPUT.topkIds) });
      tensors.set("c.kernel_topk_indx", { dtype: "U16", shape: [6], data: Uint16Array.from(topkIndx) });
      tensors.set("c.kernel_hist", { dtype: "I64", shape: [4], data: BigInt64Array.from(hist, BigInt) });
    });
    expect(broken(dump)).toEqual([]);
    expect(dump.results.map(({ implementation }) => implementation).toSorted()).toEqual(["kernel", "ref"]);
  });

  it.each([
    ["BF16", "bf16"],
    ["F16", "f16"],
  ] as const)("passes with %s weights", (dtype, format) => {
    const half = { ...INPUT, topkWeights: float32ToHalf(INPUT.topkWeights, format) };
    expect(broken(checkDump(folder.write(dtype, soundTensors(half, dtype))))).toEqual([]);
  });

  it("passes with an expert map that has holes, and with slots of -1", () => {
    const expertMap = Int32Array.of(-1, 0, 1);
    const mapped = { ...INPUT, nExpertsTot: 2, expertMap, topkIds: INPUT.topkIds.with(5, -1) };
    expect(broken(checkDump(folder.write("mapped", soundTensors(mapped))))).toEqual([]);
  });

  it("passes with offsets and tiles, which are then checked", () => {
    const { tokenOffsRaw, tiles } = expertData(fusedRoutingFromTopk(INPUT).hist, [32]);
    const withTiles = (tensors: Tensors): void => {
      tensors.set("c.kernel_token_offs_raw", int32(tokenOffsRaw));
      tensors.set("c.kernel_token_offs_pad_32", int32(tiles[0]!.tokenOffsPad));
      tensors.set("c.kernel_block_pid_map_32", int32(tiles[0]!.blockPidMap.slice()));
    };
    expect(broken(checkAfter(withTiles))).toEqual([]);
    const dump = checkAfter((tensors) => {
      withTiles(tensors);
      change(tensors, "c.kernel_block_pid_map_32", 1, 9);
    });
    expect(dumpText(dump).join("\n")).toMatch(
      /c, kernel: 1 violation\n {4}block_pid_map, first at index 1, block of 32: expected 1, found 9/,
    );
  });

  it("is what the inputs written for kernels are, and a kernel's own answers beside them are checked", () => {
    const path = folder.path("inputs");
    const cases = writeRoutingInputs(path, 7);
    const { results } = checkDump(path);
    expect(results).toHaveLength(cases);
    expect(results.every(({ report, implementation }) => implementation === "ref" && report.violationCount === 0)).toBe(
      true,
    );
  });
});

describe("a broken dump", () => {
  it.each<[what: string, tensor: string, at: number, value: number, text: RegExp]>([
    ["a count", "c.kernel_hist", 1, 2, /c, kernel: 2 violations\n {4}hist, first at expert 1: expected 1, found 2\n/],
    ["a sum", "c.kernel_hist", 1, 2, /\n {4}hist_sum, first at the arrays: expected 6, found 7/],
    ["a scatter", "c.kernel_gate_indx", 0, 0, /inverse, first at position 3: expected gate_indx\[0\] = 3, found 0/],
    ["a gather", "c.kernel_topk_indx", 0, 4, /permutation, first at position 1: .*that no other position has, found 4/],
    ["a weight", "c.kernel_gate_scal", 2, 0.5, /gate_scal, first at position 2: expected 0\.6000\d+, found 0\.5\n/],
    ["a NaN", "c.kernel_gate_scal", 2, NaN, /finite, first at position 2: expected a finite weight, found NaN/],
    ["the reference", "c.ref_gate_scal", 2, 0.5, /c, ref: 1 violation\n {4}multiset, first at token 1/],
    [
      "an id",
      "c.topk_ids",
      3,
      4,
      /c, kernel: 1 violation\n {4}ids, first at token 1, slot 1: expected .*\[0, 4\), found 4/,
    ],
  ])("%s: names case, implementation, invariant, place and both values", (_, tensor, at, value, text) => {
    const dump = checkAfter((tensors) => change(tensors, tensor, at, value));
    expect(dumpText(dump).join("\n")).toMatch(text);
    expect(broken(dump)).toContain(tensor.includes("ref") ? "ref" : "kernel");
  });

  it("only condemns the implementation that is broken", () => {
    expect(broken(checkAfter((tensors) => change(tensors, "c.kernel_hist", 0, 1)))).toEqual(["kernel"]);
  });

  it("the flat index's base goes by the name", () => {
    const dump = checkAfter((tensors) => {
      for (const [name, spec] of soundTensors()) {
        if (name.startsWith("c.ref_")) tensors.set(name.replace("ref_", "reference_"), spec);
      }
    });
    expect(broken(dump)).toEqual(["reference"]);
  });

  it.each(["F16", "F32"] as const)("bf16 weights that came out as %s are a dtype that was not kept", (dtype) => {
    const half = { ...INPUT, topkWeights: float32ToHalf(INPUT.topkWeights, "bf16") };
    const tensors = soundTensors(half, "BF16");
    const { data, shape } = tensors.get("c.kernel_gate_scal")!;
    const other = dtype === "F16" ? data : Float32Array.from(data as Uint16Array);
    tensors.set("c.kernel_gate_scal", { dtype, shape, data: other });
    const dump = checkDump(folder.write("dtype", tensors));
    expect(dumpText(dump).join("\n")).toContain(`dtype, first at gate_scal: expected BF16, found ${dtype}`);
  });

  it("any single change of any of a kernel's numbers is found", () => {
    const names = ["hist", "topk_indx", "gate_indx", "gate_scal"];
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.integer(), (name, at, value) => {
        const tensors = soundTensors();
        const { data } = tensors.get(`c.kernel_${name}`)!;
        fc.pre((data as Int32Array)[at % data.length] !== value);
        change(tensors, `c.kernel_${name}`, at % data.length, value);
        expect(broken(checkDump(folder.write("any", tensors)))).toEqual(["kernel"]);
      }),
      { numRuns: 200 },
    );
  });

  it("lists a bounded number of broken cases", () => {
    const tensors: Tensors = new Map();
    for (let index = 0; index < 100; index++) {
      for (const [name, spec] of soundTensors()) tensors.set(name.replace("c.", `c${index}.`), spec);
      tensors.set(`c${index}.kernel_hist`, int32(Int32Array.of(1, 1, 1, 1)));
    }
    const text = dumpText(checkDump(folder.write("many", tensors)));
    expect(text.length).toBeLessThan(100);
    expect(text).toContain("Broken in 100 of 200 answers:");
    expect(text.at(-1)).toBe("  and 80 more");
  });
});

describe("what is no dump is refused, with tensor and reason", () => {
  it.each<[what: string, spoil: (tensors: Tensors) => void, message: RegExp]>([
    ["without tensors", (t) => t.clear(), /it has no tensors/],
    ["foreign", (t) => t.set("lm_head.weight", int32(new Int32Array(1))), /"lm_head\.weight": its name is none/],
    ["a slip in a name", (t) => t.set("c.kernel_topk_idx", int32(new Int32Array(6))), /"c\.kernel_topk_idx": its name/],
    ["no case", (t) => t.set("topk_ids", int32(new Int32Array(6))), /"topk_ids": its name is none/],
    ["without ids", (t) => t.delete("c.topk_ids"), /tensor "c\.topk_ids" is missing/],
    ["without weights", (t) => t.delete("c.topk_weights"), /tensor "c\.topk_weights" is missing/],
    ["without an array", (t) => t.delete("c.kernel_gate_scal"), /tensor "c\.kernel_gate_scal" is missing/],
    ["without a histogram", (t) => t.delete("c.ref_hist"), /tensor "c\.ref_hist" is missing/],
    ["ids flat", (t) => t.set("c.topk_ids", int32(INPUT.topkIds)), /its shape is \[6\], not \[n_tokens, n_expts_act\]/],
    ["no entries", (t) => t.set("c.topk_ids", int32(new Int32Array(0), [0, 8])), /\[0, 8\]: there is nothing to check/],
    [
      "weights of another shape",
      (t) => t.set("c.topk_weights", int32(new Int32Array(6), [2, 3])),
      /\[2, 3\], not \[3, 2\]/,
    ],
    ["indices too few", (t) => t.set("c.kernel_topk_indx", int32(new Int32Array(5))), /\[5\], not \[6\]/],
    [
      "histograms that disagree",
      (t) => t.set("c.kernel_hist", int32(new Int32Array(5))),
      /_hist": its shape is \[\d\], not/,
    ],
    [
      "weights that are integers",
      (t) => t.set("c.topk_weights", int32(new Int32Array(6), [3, 2])),
      /it is I32, but weights/,
    ],
    [
      "ids that are floats",
      (t) => t.set("c.topk_ids", { dtype: "F32", shape: [3, 2], data: new Float32Array(6) }),
      /it is F32, but integers are needed/,
    ],
    [
      "a map beyond the rank",
      (t) => t.set("c.expert_map", int32(Int32Array.of(0, 1, 4))),
      /expert 2 is mapped to local expert 4/,
    ],
    [
      "tiles without offsets",
      (t) => t.set("c.kernel_block_pid_map_16", int32(Int32Array.of(0))),
      /"c\.kernel_token_offs_pad_16" is missing/,
    ],
    ["blocks of no kernel", (t) => t.set("c.kernel_block_pid_map_1", int32(Int32Array.of(0))), /its name is none/],
    [
      "too many experts per token",
      (t) => t.set("c.topk_ids", int32(new Int32Array(600), [1, 600])),
      /and 128 experts per token are checked/,
    ],
    [
      "an index beyond 32 bits",
      (t) => t.set("c.kernel_hist", { dtype: "I64", shape: [4], data: BigInt64Array.of(2n ** 40n, 0n, 0n, 0n) }),
      /beyond 32-bit integers/,
    ],
  ])("%s", (_, spoil, message) => {
    expect(() => checkAfter(spoil)).toThrow(UserError);
    expect(() => checkAfter(spoil)).toThrow(message);
  });

  it("a case with no implementation", () => {
    const tensors: Tensors = new Map([...soundTensors()].filter(([name]) => name.startsWith("c.topk")));
    expect(() => checkDump(folder.write("inputs only", tensors))).toThrow(/no implementation's arrays stand beside it/);
  });

  it("cut anywhere", () => {
    const whole = readFileSync(folder.write("whole", soundTensors()));
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        writeFileSync(folder.path("cut"), whole.subarray(0, length));
        expect(() => checkDump(folder.path("cut"))).toThrow(UserError);
      }),
    );
  });

  it("whatever its bytes are, the end is a verdict or a UserError", () => {
    const whole = readFileSync(folder.write("whole", soundTensors()));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (edits) => {
          const bytes = Uint8Array.from(whole);
          for (const [at, value] of edits) bytes[at] = value;
          writeFileSync(folder.path("mutated"), bytes);
          try {
            expect(checkDump(folder.path("mutated")).results.length).toBeGreaterThan(0);
          } catch (error) {
            expect(error).toBeInstanceOf(UserError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it("names that would forge the report are escaped", () => {
    const tensors: Tensors = new Map();
    for (const [name, spec] of soundTensors()) {
      tensors.set(name.replace("c.", "\u001B[2J\nHeld\n.").replace("ref_", "r\n_"), spec);
    }
    const text = dumpText(checkDump(folder.write("forged", tensors)));
    expect(text.filter((line) => line.includes("\n") || line.includes("\u001B"))).toEqual([]);
    expect(text.join()).toContain(String.raw`\u001b[2J\n`);
  });
});
