/** Captures to compare, written as files of each format. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterAll } from "vitest";
import { writeSafetensors } from "../../../engine/safetensors-writer.ts";
import type { TensorSpec } from "../../../engine/safetensors-writer.ts";

export interface TestCapture {
  readonly layers: readonly number[];
  readonly k: number;
  readonly nExpertsTot: number;
  readonly inputIds: number[];
  readonly docIndex: number[];
  readonly position: number[];
  /** [layer][token * k + slot] */
  readonly ids: number[][];
  readonly weights: number[][];
  /** [layer][token] */
  readonly margins: number[][];
  /** [layer] the scores of some tokens. Default: the file has none. */
  readonly close?: readonly (readonly { readonly token: number; readonly scores: readonly number[] }[])[];
}

/** Docs of these lengths; ids, weights and margins are drawn, the same in every run. */
export function makeCapture(
  docs: readonly number[] = [40, 25],
  {
    layers = [1, 2, 4],
    k = 4,
    nExpertsTot = 16,
    seed = 1,
  }: {
    readonly layers?: readonly number[];
    readonly k?: number;
    readonly nExpertsTot?: number;
    readonly seed?: number;
  } = {},
): TestCapture {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const tokens = docs.reduce((sum, length) => sum + length, 0);
  const row = (): number[] => {
    const ids: number[] = [];
    while (ids.length < k) {
      const id = Math.floor(random() * nExpertsTot);
      if (!ids.includes(id)) ids.push(id);
    }
    return ids;
  };
  const each = <T>(make: () => T): T[] => Array.from({ length: tokens }, make);
  return {
    layers,
    k,
    nExpertsTot,
    inputIds: each(() => Math.floor(random() * 1000)),
    docIndex: docs.flatMap((length, doc) => Array.from({ length }, () => doc * 3)),
    position: docs.flatMap((length) => Array.from({ length }, (_, position) => position)),
    ids: layers.map(() => each(row).flat()),
    weights: layers.map(() => Array.from({ length: tokens * k }, () => Math.fround(0.1 + random()))),
    margins: layers.map(() => each(() => Math.fround(0.01 + random()))),
  };
}

/** A copy that was changed. */
export function changed(capture: TestCapture, change: (copy: TestCapture) => void): TestCapture {
  const copy = structuredClone(capture);
  change(copy);
  return copy;
}

/** Sends one token of a layer to another expert than its last one. */
export function swapLast(capture: TestCapture, layer: number, token: number): void {
  const ids = capture.ids[layer]!;
  const row = new Set(ids.slice(token * capture.k, (token + 1) * capture.k));
  let other = 0;
  while (row.has(other)) other++;
  ids[token * capture.k + capture.k - 1] = other;
}

export interface WriteOptions {
  readonly weights?: boolean;
  readonly margins?: boolean;
  readonly tokens?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
}

export function writeCaptureFile(path: string, capture: TestCapture, options: WriteOptions = {}): string {
  const { weights = true, margins = true, tokens = true, metadata = {} } = options;
  const { layers, k, nExpertsTot, inputIds, ids } = capture;
  const n = inputIds.length;
  const perToken = { input_ids: inputIds, doc_index: capture.docIndex, position: capture.position };
  writeSafetensors(
    path,
    [
      ...Object.entries(tokens ? perToken : {}).map(([name, values]) => {
        return { name, dtype: "I32" as const, shape: [n], data: Int32Array.from(values) };
      }),
      ...layers.flatMap((layer, index) => [
        { name: `layers.${layer}.topk_ids`, dtype: "U8" as const, shape: [n, k], data: Uint8Array.from(ids[index]!) },
        ...(weights ? [floats(`layers.${layer}.topk_weights`, [n, k], capture.weights[index]!)] : []),
        ...(margins ? [floats(`layers.${layer}.router_margin`, [n], capture.margins[index]!)] : []),
        ...closeTensors(layer, capture.close?.[index], nExpertsTot),
      ]),
    ],
    { n_expts_tot: String(nExpertsTot), n_expts_act: String(k), moe_layers: layers.join(","), ...metadata },
  );
  return path;
}

function closeTensors(
  layer: number,
  close: NonNullable<TestCapture["close"]>[number] | undefined,
  nExpertsTot: number,
): (TensorSpec & { readonly data: Int32Array | Float32Array })[] {
  if (close === undefined) return [];
  const rows = Int32Array.from(close, ({ token }) => token);
  const scores = close.flatMap((each) => [...each.scores]);
  return [
    { name: `layers.${layer}.close_rows`, dtype: "I32", shape: [rows.length], data: rows },
    floats(`layers.${layer}.close_scores`, [rows.length, nExpertsTot], scores),
  ];
}

function floats(
  name: string,
  shape: readonly number[],
  values: readonly number[],
): TensorSpec & { readonly data: Float32Array } {
  return { name, dtype: "F32", shape, data: Float32Array.from(values) };
}

/** [tokens, layers, K] */
export function tokenMajor(capture: TestCapture, of: "ids" | "weights" = "ids"): number[] {
  const { inputIds, k } = capture;
  return inputIds.flatMap((_, token) => capture[of].flatMap((row) => row.slice(token * k, (token + 1) * k)));
}

export function npy(descr: string, shape: readonly number[], data: Uint8Array, fortran = false): Uint8Array {
  const dict = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${shape.join(", ")},), }`;
  const text = dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11) + "\n";
  const start = Buffer.from("\u0093NUMPY\u0001\u0000\u0000\u0000", "latin1");
  start.writeUInt16LE(text.length, 8);
  return Buffer.concat([start, Buffer.from(text, "latin1"), data]);
}

export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function idsNpy(capture: TestCapture): Uint8Array {
  const shape = [capture.inputIds.length, capture.layers.length, capture.k];
  return npy("<i4", shape, bytesOf(Int32Array.from(tokenMajor(capture))));
}

export interface ZipMember {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** What the archive says of its size. Default: the truth. */
  readonly claimed?: number;
}

/** A zip archive as np.savez and np.savez_compressed write it. */
export function zip(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data, deflate = false, claimed = data.length } of members) {
    const body = deflate ? deflateRawSync(data) : Buffer.from(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(deflate ? 8 : 0, 4);
    fields.writeUInt32LE(body.length, 14);
    fields.writeUInt32LE(claimed, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), fields, Buffer.from(name), body]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(
      Buffer.concat([Buffer.from("PK\u0001\u0002"), Buffer.from([20, 0]), fields, tail, Buffer.from(name)]),
    );
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(members.length, 4);
  end.writeUInt16LE(members.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...parts, central, Buffer.from("PK\u0005\u0006"), end]);
}

/** `layer,expert` rows, in batches of these numbers of tokens. */
export function moeTrace(capture: TestCapture, batches: readonly number[], lastLayerTokens?: number): string {
  const { layers, k, ids } = capture;
  const rows: string[] = [];
  let from = 0;
  for (const batch of batches) {
    for (const [index, layer] of layers.entries()) {
      const tokens = index === layers.length - 1 ? (lastLayerTokens ?? batch) : batch;
      const start = from + batch - tokens;
      for (const id of ids[index]!.slice(start * k, (from + batch) * k)) rows.push(`${layer},${id}`);
    }
    from += batch;
  }
  return `${rows.join("\n")}\n`;
}

/** A folder that is removed after the file's tests, and a function that names files in it. */
export function temporaryFiles(): (name: string, content?: Uint8Array | string) => string {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-captures-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  return (name, content) => {
    const path = join(folder, name);
    if (content !== undefined) writeFileSync(path, content);
    return path;
  };
}
