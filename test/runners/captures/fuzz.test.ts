/**
 * Mutated files: each is refused with a UserError, or compared; and where it is found to be the same routing, it is, by a
 * reading of its own. A few thousand here; the long form, which takes a quarter of an hour for a million:
 *
 *     FUSECHECK_FUZZ_RUNS=1000000 FUSECHECK_FUZZ_SEED=7 npx vitest run test/runners/captures/fuzz.test.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareCaptures } from "../../../comparison/compare-captures.ts";
import { UserError } from "../../../errors.ts";
import { openCapture } from "../../../runners/captures/open-capture.ts";
import { idsNpy, makeCapture, moeTrace, temporaryFiles, writeCaptureFile, zip } from "./files.ts";

const RUNS = Number(process.env["FUSECHECK_FUZZ_RUNS"] ?? 4000);
const SEED = Number(process.env["FUSECHECK_FUZZ_SEED"] ?? 4);
/** A hang, not a slow machine. */
const TIMEOUT_MS = 120_000 + RUNS * 20;

const file = temporaryFiles();
const capture = makeCapture([40, 25], { layers: [0, 1, 2] });
const [T, L, K] = [65, 3, 4];
const model = { nExpertsTot: 16, nExpertsAct: K };

type Change = (bytes: Buffer) => Buffer;

/** Numbers and words that parsers trip over. */
const HOSTILE = [
  ...'0|-1|1e9|4294967296|9007199254740991|9007199254740993|99999999999999999999|null|[]|{}|""|NaN|U8|I64|BF16|F64'.split(
    "|",
  ),
  "__proto__",
  "\u0000",
  "\ud800",
  "[".repeat(50),
];

/** Headers are a small part of a file, and the part to attack: half of all changes are there. */
const at = fc.tuple(fc.nat(2 ** 30), fc.boolean()).map(
  ([place, head]) =>
    (bytes: Buffer) =>
      place % Math.max(1, head ? Math.min(bytes.length, 1500) : bytes.length),
);

const changes: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(at, fc.integer({ min: 0, max: 255 })).map(([where, value]): Change => (bytes) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[where(copy)] = value;
    return copy;
  }),
  fc.tuple(at, fc.integer({ min: 0, max: 7 })).map(([where, bit]): Change => (bytes) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[where(copy)]! ^= 1 << bit;
    return copy;
  }),
  at.map(
    (where): Change =>
      (bytes) =>
        bytes.subarray(0, where(bytes)),
  ),
  fc.tuple(at, fc.constantFrom(...HOSTILE)).map(([where, text]): Change => (bytes) => {
    const from = where(bytes);
    return Buffer.concat([bytes.subarray(0, from), Buffer.from(text), bytes.subarray(from)]);
  }),
  // A number in the text of a header becomes another.
  fc.tuple(fc.nat(40), fc.constantFrom(...HOSTILE)).map(([nth, text]): Change => (bytes) => {
    const found = [...bytes.subarray(0, 3000).toString("latin1").matchAll(/\d+/g)];
    const number = found[nth % Math.max(1, found.length)];
    if (number === undefined) return bytes;
    const end = number.index + number[0].length;
    return Buffer.concat([bytes.subarray(0, number.index), Buffer.from(text), bytes.subarray(end)]);
  }),
  // The header's length, as safetensors has it.
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((length): Change => (bytes) => {
    const copy = Buffer.from(bytes);
    if (copy.length >= 8) copy.writeBigUInt64LE(length);
    return copy;
  }),
);

/** The same number again, so that the header stays as long as it says: what is refused then is what it says. */
function padded(change: Change): Change {
  return (bytes) => {
    const size = Number(bytes.readBigUInt64LE());
    const header = change(bytes.subarray(8, 8 + size));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return Buffer.concat([length, header, bytes.subarray(8 + size)]);
  };
}

type Outcome = "refused" | "held" | "did not hold";

async function outcomeOf(original: string, path: string): Promise<Outcome> {
  const a = await openCapture(original, model);
  try {
    const b = await openCapture(path, model);
    try {
      return (await compareCaptures(a, b)).verdict.held ? "held" : "did not hold";
    } finally {
      b.close();
    }
  } catch (error) {
    if (error instanceof UserError) return "refused";
    throw error;
  } finally {
    a.close();
  }
}

/** [T, L] sets of ids, as text. */
const truth = capture.inputIds.flatMap((_, token) =>
  capture.ids.map((row) =>
    row
      .slice(token * K, (token + 1) * K)
      .toSorted((a, b) => a - b)
      .join(),
  ),
);

function sets(id: (token: number, layer: number, slot: number) => number): string[] {
  return Array.from({ length: T * L }, (_, row) =>
    Array.from({ length: K }, (_slot, slot) => id(Math.floor(row / L), row % L, slot))
      .toSorted((a, b) => a - b)
      .join(),
  );
}

interface Format {
  readonly original: Buffer | string;
  readonly changes: fc.Arbitrary<Change>;
  /** Reads the sets without any of the code under test. */
  readonly read: (bytes: Buffer) => string[];
}

const safetensors = readFileSync(writeCaptureFile(file("original.safetensors"), capture));

function readSafetensors(bytes: Buffer): string[] {
  const size = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, 8 + size).toString()) as Record<
    string,
    { data_offsets: [number, number]; dtype: string }
  >;
  const begin = (layer: number): number => 8 + size + header[`layers.${layer}.topk_ids`]!.data_offsets[0];
  return sets((token, layer, slot) => bytes[begin(layer) + token * K + slot]!);
}

const npyBytes = Buffer.from(idsNpy(capture));
const npyStart = npyBytes.length - T * L * K * 4;
const zipped = zip([{ name: "topk_ids.npy", data: npyBytes }]);
const zipStart = zipped.indexOf(npyBytes) + npyStart;

const int32At = (start: number) => (bytes: Buffer) =>
  sets((token, layer, slot) => bytes.readInt32LE(start + ((token * L + layer) * K + slot) * 4));

function readTrace(bytes: Buffer): string[] {
  const rows = [...bytes.toString("latin1").matchAll(/^(\d+),(\d+)\r?$/gm)].map(([, layer, id]) => [
    Number(layer),
    Number(id),
  ]);
  const perLayer = [0, 1, 2].map((layer) => rows.filter(([own]) => own === layer).map(([, id]) => id!));
  return sets((token, layer, slot) => perLayer[layer]![token * K + slot]!);
}

const FORMATS: Readonly<Record<string, Format>> = {
  safetensors: { original: safetensors, changes: fc.oneof(changes, changes.map(padded)), read: readSafetensors },
  npy: {
    original: npyBytes,
    changes,
    // The elements are at the end, whatever became of the header.
    read: (bytes) => int32At(bytes.length - T * L * K * 4)(bytes),
  },
  npz: { original: zipped, changes, read: int32At(zipStart) },
  "compressed npz": {
    original: zip([{ name: "topk_ids.npy", data: npyBytes, deflate: true }]),
    changes,
    // Held without a change of the array: there is no other way to read it but to unpack it.
    read: () => truth,
  },
  "moe-trace": { original: moeTrace(capture, [40, 25]), changes, read: readTrace },
};

describe("mutated captures", () => {
  it.each(Object.entries(FORMATS))(
    "%s",
    async (name, { original, changes: ofFormat, read }) => {
      const whole = Buffer.from(original);
      const [first, path] = [file(`first-${name}`, whole), file(`mutated.${name}`)];
      const seen = { refused: 0, held: 0, "did not hold": 0 };
      await fc.assert(
        fc.asyncProperty(fc.array(ofFormat, { minLength: 1, maxLength: 3 }), async (each) => {
          let bytes: Buffer = whole;
          for (const change of each) if (bytes.length >= 8) bytes = change(bytes);
          writeFileSync(path, bytes);
          const outcome = await outcomeOf(first, path);
          seen[outcome]++;
          if (outcome === "held") expect(read(bytes)).toEqual(truth);
        }),
        { seed: SEED, numRuns: Math.ceil(RUNS / Object.keys(FORMATS).length) },
      );
      expect(read(whole)).toEqual(truth);
      // All of this is worth nothing where no file gets far.
      expect(seen.refused).toBeGreaterThan(0);
      expect(seen.held + seen["did not hold"]).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );
});
