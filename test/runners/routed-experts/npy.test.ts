import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UserError } from "../../../errors.ts";
import { readNpy } from "../../../runners/routed-experts/index.ts";
import { DTYPE_NAMES, npyFile } from "./encode.ts";

interface Fixture {
  readonly read: readonly { name: string; npy: string; dtype: string; shape: number[]; values: number[] }[];
  readonly refused: readonly { name: string; npy: string; says: string }[];
}

/** Written by NumPy itself. */
const fixture = JSON.parse(
  readFileSync(new URL("../../fixtures/npy.json", import.meta.url), "utf8"),
) as unknown as Fixture;

function refusal(bytes: Uint8Array): string {
  try {
    readNpy(bytes, "a.npy");
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return (error as UserError).message;
  }
  return "not refused";
}

describe("arrays that NumPy wrote", () => {
  it.each(fixture.read)("$name", ({ npy, dtype, shape, values }) => {
    const array = readNpy(Buffer.from(npy, "base64"), "a.npy");
    expect(array.dtype).toBe(dtype);
    expect(array.shape).toEqual(shape);
    expect(Array.from(array.data as ArrayLike<number | bigint>, Number)).toEqual(values);
  });

  it.each(fixture.refused)("$name: refused in words", ({ npy, says }) => {
    expect(refusal(Buffer.from(npy, "base64"))).toContain(says);
  });
});

it("gives back what was written, for every dtype and shape", () => {
  const arrays = fc
    .tuple(fc.constantFrom(...DTYPE_NAMES), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 }))
    .chain(([dtype, shape]) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const most = { "|u1": 255, "<u2": 65_535, "<i2": 32_767, "<i4": 2 ** 31 - 1, "<i8": 2 ** 53 - 1 }[dtype];
      const least = dtype.includes("i") ? -most : 0;
      const values = fc.array(fc.integer({ min: least, max: most }), { minLength: size, maxLength: size });
      return fc.tuple(fc.constant(dtype), fc.constant(shape), values);
    });
  fc.assert(
    fc.property(arrays, fc.integer({ min: 0, max: 7 }), ([dtype, shape, values], offset) => {
      const file = npyFile(dtype, shape, values);
      // Anywhere in a larger buffer, aligned or not.
      const inside = Buffer.concat([Buffer.alloc(offset), file]).subarray(offset);
      const array = readNpy(inside, "a.npy");
      expect(array.shape).toEqual(shape);
      expect(Array.from(array.data as ArrayLike<number | bigint>, Number)).toEqual(values);
    }),
  );
});

describe("what is refused", () => {
  const good = npyFile("<i4", [2, 3], [1, 2, 3, 4, 5, 6]);
  const headed = (header: string): Buffer => npyFile("<i4", [2, 3], [1, 2, 3, 4, 5, 6], header);

  it("every truncation", () => {
    const lengths = Array.from({ length: good.length }, (_, length) => length);
    const passed = lengths.filter((length) => refusal(good.subarray(0, length)) === "not refused");
    expect(passed).toEqual([]);
    expect(refusal(good)).toBe("not refused");
  });

  it("bytes after the last element", () => {
    expect(refusal(Buffer.concat([good, Buffer.alloc(3)]))).toContain("3 bytes follow its last element");
  });

  it.each([
    ["(99999999, 99999999, 99999999)", "e+24 bytes, and 24 are there"],
    ["(9007199254740993, 2)", "whole numbers below 2^53"],
    ["(-2, 3)", "not a dict"],
    ["(2, 3.5)", "not a dict"],
    ["(2 3)", "whole numbers"],
    ["(,)", "whole numbers"],
    ["(2,, 3)", "whole numbers"],
    [`(${"1, ".repeat(65)}6)`, "at most 64"],
  ])("shape %s", (shape, says) => {
    expect(refusal(headed(`{'descr': '<i4', 'fortran_order': False, 'shape': ${shape}, }`))).toContain(says);
  });

  it.each([
    [
      "a claimed header beyond the limit",
      Buffer.concat([good.subarray(0, 8), Buffer.of(0xff, 0xff), good.subarray(10)]),
    ],
    ["a header longer than the file", Buffer.concat([good.subarray(0, 8), Buffer.of(0x00, 0x10), good.subarray(10)])],
    [
      "4 GiB of header, in version 2",
      Buffer.concat([good.subarray(0, 6), Buffer.of(2, 0, 0xff, 0xff, 0xff, 0xff), good.subarray(10)]),
    ],
    ["version 4", Buffer.concat([good.subarray(0, 6), Buffer.of(4), good.subarray(7)])],
    ["another magic", Buffer.concat([Buffer.of(0x92), good.subarray(1)])],
    ["nothing", Buffer.alloc(0)],
    ["no header", headed("")],
    ["code", headed("{'descr': __import__('os'), 'fortran_order': False, 'shape': (2, 3), }")],
    ["a key twice", headed("{'descr': '<i4', 'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }")],
    ["a key too many", headed("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), 'x': 'y', }")],
    ["a key too few", headed("{'descr': '<i4', 'shape': (2, 3), }")],
    ["a value of another kind", headed("{'descr': True, 'fortran_order': False, 'shape': (2, 3), }")],
    ["something after it", headed("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), } + {}")],
  ])("%s", (_, bytes) => {
    expect(refusal(bytes)).toContain("a.npy is not a usable .npy array: ");
  });

  it("does not repeat a dtype that may be anything", () => {
    expect(refusal(headed("{'descr': 'sk-secret-key', 'fortran_order': False, 'shape': (2, 3), }"))).not.toContain(
      "sk-",
    );
  });

  it("finds no crash in mutated files: an array or a refusal", () => {
    const mutation = fc.tuple(fc.integer({ min: 0, max: good.length - 1 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 6 }), (mutations) => {
        const bytes = Buffer.from(good);
        for (const [at, byte] of mutations) bytes[at] = byte;
        const said = refusal(bytes);
        expect(said === "not refused" || said.startsWith("a.npy is not a usable .npy array: ")).toBe(true);
        expect(said).not.toContain("\n");
      }),
      { numRuns: 3000 },
    );
  });
});
