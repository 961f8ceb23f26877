/** Captures in the forms in which servers give them, and ids such as a router chooses. */
import { createHash } from "node:crypto";
import type { MoeLayout } from "../../../runners/routed-experts/index.ts";

/** A payload before it is written: [rows, layers, k]. */
export interface Ids {
  readonly rows: number;
  readonly layers: number;
  readonly k: number;
  readonly values: readonly number[];
}

export const DTYPE_NAMES: readonly DtypeName[] = ["|u1", "<u2", "<i2", "<i4", "<i8"];

export type DtypeName = "|u1" | "<u2" | "<i2" | "<i4" | "<i8";

function arrayOf(dtype: DtypeName, values: readonly number[]): Uint8Array {
  const arrays = { "|u1": Uint8Array, "<u2": Uint16Array, "<i2": Int16Array, "<i4": Int32Array };
  const array = dtype === "<i8" ? BigInt64Array.from(values.map(BigInt)) : arrays[dtype].from(values);
  return new Uint8Array(array.buffer);
}

/** A `.npy` file; its header may be replaced by any other. */
export function npyFile(
  dtype: DtypeName,
  shape: readonly number[],
  values: readonly number[],
  header?: string,
): Buffer {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const text = header ?? `{'descr': '${dtype}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const length = Buffer.alloc(2);
  length.writeUInt16LE(padded.length);
  const start = Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(padded, "latin1")]);
  return Buffer.concat([start, arrayOf(dtype, values)]);
}

export function npyText({ rows, layers, k, values }: Ids, dtype: DtypeName): string {
  return npyFile(dtype, [rows, layers, k], values).toString("base64");
}

export function int32Text({ values }: Ids): string {
  return Buffer.from(Int32Array.from(values).buffer).toString("base64");
}

export function nested({ rows, layers, k, values }: Ids, from = 0, to: number = rows): number[][][] {
  return Array.from({ length: to - from }, (_, row) =>
    Array.from({ length: layers }, (__, layer) => {
      const start = ((from + row) * layers + layer) * k;
      return values.slice(start, start + k);
    }),
  );
}

/** Ids and the bits of their weights, twice as wide. */
export function packed({ rows, layers, k, values }: Ids, weights: readonly number[]): Ids {
  const bits = [...new Int32Array(Float32Array.from(weights).buffer)];
  const wide = Array.from({ length: rows * layers }, (_, group) => [
    ...values.slice(group * k, (group + 1) * k),
    ...bits.slice(group * k, (group + 1) * k),
  ]);
  return { rows, layers, k: 2 * k, values: wide.flat() };
}

/** K different experts, which depend on all that is named: as a router's choice depends on a token and its prefix. */
export function choose(k: number, nExperts: number, ...because: readonly (string | number)[]): number[] {
  const left = Array.from({ length: nExperts }, (_, id) => id);
  const digest = createHash("sha256").update(because.join("/")).digest();
  return Array.from(
    { length: k },
    (_, slot) => left.splice((digest[slot % 32] as number) % left.length, 1)[0] as number,
  );
}

/** A sound capture of so many rows; dense layers are zeros, as SGLang leaves them. */
export function soundIds(layout: MoeLayout, rows: number, salt = ""): Ids {
  const { nLayers, moeLayers, nExpertsAct: k, nExpertsTot } = layout;
  const isMoe = (layer: number): boolean => moeLayers === "unknown" || moeLayers.includes(layer);
  const values = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: nLayers }, (__, layer) =>
      isMoe(layer) ? choose(k, nExpertsTot, salt, row, layer) : Array.from({ length: k }, () => 0),
    ),
  );
  return { rows, layers: nLayers, k, values: values.flat(2) };
}

/** The ids with some of them replaced. */
export function altered(ids: Ids, change: (id: number, row: number, layer: number, slot: number) => number): Ids {
  const { layers, k, values } = ids;
  const at = (i: number): [number, number, number] => [Math.floor(i / (layers * k)), Math.floor(i / k) % layers, i % k];
  return { ...ids, values: values.map((id, i) => change(id, ...at(i))) };
}
