import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSafetensorsWriter, writeSafetensors } from "../../engine/safetensors-writer.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import { UserError } from "../../errors.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fusecheck-safetensors-"));
  path = join(folder, "a.safetensors");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A file of any header, well-formed or not, and so many bytes of data. */
function writeRaw(header: string | Uint8Array, dataBytes: number, claimedLength?: bigint): void {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true);
  file.set(json, 8);
  writeFileSync(path, file);
}

/** What opening throws; undefined where the file is accepted. */
function openingError(): unknown {
  try {
    openSafetensors(path).close();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The message of the refusal, which must be a UserError of one line that names the file. */
function refusal(): string {
  const error = openingError();
  expect(error).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message).toContain(path);
  expect(message).not.toContain("\n");
  return message;
}

function bytesOfAllTensors(): number {
  const file = openSafetensors(path);
  const bytes = [...file.tensors.keys()].map((name) => file.read(name).byteLength);
  file.close();
  return bytes.reduce((a, b) => a + b, 0);
}

/** A header with one tensor of 8 bytes, some of its fields replaced. */
function entry(fields: object): string {
  return JSON.stringify({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...fields } });
}

describe("reading", () => {
  test("a file made by hand", () => {
    writeRaw('{"__metadata__":{"k":"v"},"x":{"dtype":"U8","shape":[2,1],"data_offsets":[0,2]}}  ', 2);
    const file = openSafetensors(path);
    expect([...file.metadata]).toEqual([["k", "v"]]);
    expect(file.info("x")).toMatchObject({ dtype: "U8", shape: [2, 1], size: 2 });
    expect(file.read("x")).toEqual(new Uint8Array(2));
    file.close();
  });

  test("a part of a tensor, and only inside of it", () => {
    writeSafetensors(path, [{ name: "x", dtype: "F32", shape: [4], data: Float32Array.of(1, 2, 3, 4) }]);
    const file = openSafetensors(path);
    expect(file.read("x", { begin: 1, end: 3 })).toEqual(Float32Array.of(2, 3));
    expect(file.read("x", { begin: 4 })).toEqual(new Float32Array(0));
    for (const range of [{ begin: -1 }, { end: 5 }, { begin: 3, end: 2 }, { begin: 0.5 }]) {
      expect(() => file.read("x", range)).toThrow(RangeError);
    }
    file.close();
    expect(() => file.read("x")).toThrow("was closed");
  });

  test("float32 from any floating-point dtype, int32 from any integer dtype that fits", () => {
    writeSafetensors(path, [
      { name: "f64", dtype: "F64", shape: [2], data: Float64Array.of(0.5, -2) },
      { name: "bf16", dtype: "BF16", shape: [2], data: Uint16Array.of(0x3f00, 0xc000) },
      { name: "f16", dtype: "F16", shape: [2], data: Uint16Array.of(0x3800, 0xc000) },
      { name: "i64", dtype: "I64", shape: [2], data: BigInt64Array.of(-5n, 7n) },
      { name: "u8", dtype: "U8", shape: [2], data: Uint8Array.of(5, 255) },
      { name: "big", dtype: "I64", shape: [1], data: BigInt64Array.of(2n ** 31n) },
    ]);
    const file = openSafetensors(path);
    for (const name of ["f64", "bf16", "f16"]) expect(file.readFloat32(name)).toEqual(Float32Array.of(0.5, -2));
    expect(file.readInt32("i64")).toEqual(Int32Array.of(-5, 7));
    expect(file.readInt32("u8")).toEqual(Int32Array.of(5, 255));
    expect(() => file.readInt32("big")).toThrow(/"big" holds 2147483648/);
    expect(() => file.readInt32("f16")).toThrow(/"f16" is F16, but integers/);
    expect(() => file.readFloat32("u8")).toThrow(/"u8" is U8, but floating-point/);
    expect(() => file.read("constructor")).toThrow(/no tensor "constructor"; it has 6, among them "f64"/);
    file.close();
  });
});

describe("what is refused", () => {
  test.each<[string, string | Uint8Array, number, RegExp]>([
    ["not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), 0, /not UTF-8/],
    ["not JSON", "{", 0, /not JSON/],
    ["an empty header", "", 0, /not JSON/],
    ["a list", "[]", 0, /not a JSON object/],
    ["null", "null", 0, /not a JSON object/],
    ["an entry that is no object", '{"w":3}', 0, /"w" is not an object/],
    ["metadata that is no string", '{"__metadata__":{"a":1}}', 0, /metadata "a" is not a string/],
    ["an unknown dtype", entry({ dtype: "F33" }), 8, /"w": unknown dtype "F33"; known are BOOL/],
    ["a dtype from the prototype", entry({ dtype: "toString" }), 8, /unknown dtype "toString"/],
    ["no dtype", '{"w":{"shape":[0],"data_offsets":[0,0]}}', 0, /unknown dtype nothing/],
    ["a negative dimension", entry({ shape: [-2] }), 8, /shape is not a list of at most 64 non-negative integers/],
    ["a fractional dimension", entry({ shape: [1.5] }), 8, /shape is not/],
    ["a dimension of 2^53", '{"w":{"dtype":"U8","shape":[9007199254740992],"data_offsets":[0,0]}}', 0, /shape is not/],
    ["a product beyond 2^53", entry({ shape: [2 ** 30, 2 ** 30] }), 8, /needs 4611686018427388000 bytes/],
    ["a product beyond all numbers", entry({ shape: Array(40).fill(2 ** 50) }), 8, /needs Infinity bytes/],
    ["65 dimensions", entry({ shape: Array<number>(65).fill(1) }), 8, /shape is not a list of at most 64/],
    ["a shape that is an object", entry({ shape: { length: 1, 0: 2 } }), 8, /shape is not/],
    ["negative offsets", entry({ data_offsets: [-8, 0] }), 8, /data_offsets are not two/],
    ["one offset", entry({ data_offsets: [0] }), 8, /data_offsets are not two/],
    ["offsets in the wrong order", entry({ data_offsets: [8, 0] }), 8, /\[8, 0\] lie outside/],
    ["offsets beyond the file", entry({ data_offsets: [0, 80] }), 8, /\[0, 80\] lie outside the file's 8 bytes/],
    [
      "offsets that disagree with the shape",
      entry({ shape: [1] }),
      8,
      /\[1\] needs 4 bytes, but its data_offsets span 8/,
    ],
    ["an unknown field", entry({ __proto__x: 1 }), 8, /unknown field "__proto__x"/],
    [
      "a field from the prototype",
      '{"w":{"__proto__":["U8"],"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /unknown field "__proto__"/,
    ],
    [
      "a tensor called __proto__",
      '{"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      0,
      /"__proto__": this name/,
    ],
    ["bytes after the last tensor", entry({}), 9, /1 bytes after its last tensor/],
    [
      "overlapping tensors",
      '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
      6,
      /"b": overlaps/,
    ],
    [
      "a gap between tensors",
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}',
      3,
      /"b": leaves a gap/,
    ],
    [
      "a tensor given twice",
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
      /repeats a key/,
    ],
    ["a field given twice", '{"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1, /repeats a key/],
  ])("%s", (_, header, dataBytes, reason) => {
    writeRaw(header, dataBytes);
    expect(refusal()).toMatch(reason);
  });

  test("a header that claims more than the file has, or more than the format allows", () => {
    writeRaw("{}", 0, 3n);
    expect(refusal()).toMatch(/claims 3 bytes, but the file has only 10/);
    writeRaw("{}", 0, 2n ** 64n - 1n);
    expect(refusal()).toMatch(/claims 18446744073709551615 bytes; at most 16777216 are read/);
  });

  test("files that are too short, missing, or folders", () => {
    writeFileSync(path, "");
    expect(refusal()).toMatch(/0 bytes, too few/);
    writeFileSync(path, "1234567");
    expect(refusal()).toMatch(/7 bytes, too few/);
    rmSync(path);
    expect(refusal()).toMatch(/Cannot read .*ENOENT/);
    expect(() => openSafetensors(folder)).toThrow(/not a file/);
  });

  test("a file cut short anywhere is refused, never read wrongly", () => {
    writeSafetensors(path, [{ name: "x", dtype: "I16", shape: [3], data: Int16Array.of(1, 2, 3) }]);
    const { length } = readFileSync(path);
    for (let size = length - 1; size >= 0; size--) {
      truncateSync(path, size);
      expect(refusal()).toMatch(/truncated|too few/);
    }
  });

  test("a hostile name neither floods nor breaks the message", () => {
    writeRaw(JSON.stringify({ ["a\n\u001b[31m" + "b".repeat(100_000)]: 3 }), 0);
    expect(refusal().length).toBeLessThan(path.length + 300);
  });

  test("deep nesting and many repeated keys cost no stack and little time", () => {
    writeRaw(`{"a":${"[".repeat(500_000)}${"]".repeat(500_000)}}`, 0);
    expect(refusal()).toMatch(/nested more than 3 levels/);
    const entryOfA = '"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
    writeRaw(`{${`${entryOfA},`.repeat(50_000)}${entryOfA}}`, 0);
    expect(refusal()).toMatch(/repeats a key/);
  });

  test("any change of one header byte is refused or still a consistent file", () => {
    writeSafetensors(path, [
      { name: "a", dtype: "I32", shape: [2], data: Int32Array.of(1, 2) },
      { name: "b", dtype: "U8", shape: [3], data: Uint8Array.of(3, 4, 5) },
    ]);
    const original = readFileSync(path);
    fc.assert(
      fc.property(fc.nat(original.length - 12), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(original);
        changed[at] = byte;
        writeFileSync(path, changed);
        const error = openingError();
        expect(error === undefined || error instanceof UserError).toBe(true);
        expect(error === undefined ? bytesOfAllTensors() : 11).toBe(11);
      }),
      { numRuns: 500 },
    );
  });
});

describe("writing", () => {
  const ARRAYS = {
    BOOL: Uint8Array,
    U8: Uint8Array,
    I8: Int8Array,
    U16: Uint16Array,
    I16: Int16Array,
    F16: Uint16Array,
    BF16: Uint16Array,
    U32: Uint32Array,
    I32: Int32Array,
    F32: Float32Array,
    U64: BigUint64Array,
    I64: BigInt64Array,
    F64: Float64Array,
  };
  const arbitraryTensor = fc
    .record({
      dtype: fc.constantFrom(...(Object.keys(ARRAYS) as (keyof typeof ARRAYS)[])),
      shape: fc.array(fc.nat(4), { maxLength: 3 }),
      fill: fc.nat(1),
    })
    .map(({ dtype, shape, fill }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      const data = new ARRAYS[dtype](size);
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(BigInt(fill));
      else data.fill(fill);
      return { dtype, shape, data };
    });

  test("what was written is read back, whatever the names, dtypes and shapes", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: "binary" }), arbitraryTensor, { maxKeys: 6 }),
        fc.dictionary(fc.string(), fc.string()),
        (dictionary, metadata) => {
          const tensors = Object.entries(dictionary)
            .filter(([name]) => !["__proto__", "__metadata__"].includes(name))
            .map(([name, { dtype, shape, data }]) => ({ name, dtype, shape, data }));
          writeSafetensors(path, tensors, metadata);
          const file = openSafetensors(path);
          expect(file.tensors.size).toBe(tensors.length);
          for (const { name, dtype, shape, data } of tensors) {
            expect(file.info(name)).toMatchObject({ dtype, shape });
            expect(file.read(name)).toEqual(data);
          }
          expect(file.metadata).toEqual(new Map(Object.entries(metadata)));
          file.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("in pieces, tensors in turns; nothing appears under the name before the end", () => {
    const writer = createSafetensorsWriter(path, [
      { name: "ids", dtype: "U8", shape: [2, 2] },
      { name: "weights", dtype: "F32", shape: [2] },
    ]);
    writer.write("ids", Uint8Array.of(1, 2));
    writer.write("weights", Float32Array.of(0.25));
    writer.write("ids", Uint8Array.of(3, 4));
    writer.write("weights", Float32Array.of(9, 0.75).subarray(1));
    expect(readdirSync(folder)).toHaveLength(1);
    expect(readdirSync(folder)).not.toContain("a.safetensors");
    writer.close();
    expect(readdirSync(folder)).toEqual(["a.safetensors"]);
    const file = openSafetensors(path);
    expect(file.read("ids")).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(file.read("weights")).toEqual(Float32Array.of(0.25, 0.75));
    file.close();
  });

  test("an unfinished or wrong file never replaces the one that is there", () => {
    writeFileSync(path, "old");
    const spec = { name: "x", dtype: "F32", shape: [2] } as const;
    const writer = createSafetensorsWriter(path, [spec]);
    writer.write("x", Float32Array.of(1));
    expect(() => writer.close()).toThrow("x has 4 of 8 bytes");
    expect(() => writer.write("y", Float32Array.of(1))).toThrow("y was not announced");
    expect(() => writer.write("x", Float32Array.of(1, 2))).toThrow("do not fit");
    expect(() => writer.write("x", Float64Array.of(1))).toThrow("do not fit");
    writer.abort();
    writer.abort();
    expect(() => writer.write("x", Float32Array.of(1))).toThrow("already closed");
    expect(() => writeSafetensors(path, [{ ...spec, data: new Float32Array(1) }])).toThrow("has 4 of 8 bytes");
    expect(() => createSafetensorsWriter(path, [spec, spec])).toThrow("used twice");
    expect(() => createSafetensorsWriter(path, [{ ...spec, shape: [-1] }])).toThrow("impossible shape");
    expect(readdirSync(folder)).toEqual(["a.safetensors"]);
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  test("a place that cannot be written to is a UserError", () => {
    const nowhere = join(folder, "missing", "a.safetensors");
    expect(() => writeSafetensors(nowhere, [])).toThrow(UserError);
    expect(() => writeSafetensors(nowhere, [])).toThrow(/Cannot write .*ENOENT/);
  });
});
