/** A `.npy` array inside a file (or all of it), read piece by piece. */
import { UserError } from "../../errors.ts";
import { elementCount } from "../../engine/safetensors-header.ts";
import { halfToFloat32 } from "../../engine/half-floats.ts";
import { NPY_HEADER_BYTES, npyIntegerDtype, readNpyHeader } from "../routed-experts/npy.ts";
import { readFully } from "./file-bytes.ts";
import type { WeightDtype } from "./capture-source.ts";

/** Where the array lies. */
export interface NpyPlace {
  readonly fd: number;
  /** The file, and the array in it, for messages. */
  readonly where: string;
  readonly begin: number;
  readonly bytes: number;
}

export interface NpyFile {
  readonly shape: readonly number[];
  /** NumPy's name of the dtype. */
  readonly descr: string;
  /** Precision of floats; undefined of integers. */
  readonly precision: WeightDtype | undefined;
  /** Elements `begin` up to, not including, `end`; 64-bit integers that are no 32-bit ones as the nearest of those. */
  readonly integers: (begin: number, end: number) => Int32Array;
  readonly floats: (begin: number, end: number) => Float32Array;
}

const FLOATS = { "<f8": "F64", "<f4": "F32", "<f2": "F16" } as const satisfies Record<string, WeightDtype>;
const WIDTHS: Readonly<Record<string, number>> = {
  "|u1": 1,
  "<u2": 2,
  "<i2": 2,
  "<i4": 4,
  "<i8": 8,
  "<f2": 2,
  "<f4": 4,
  "<f8": 8,
};

/** @throws UserError where it is not an array that can be read so */
export function openNpyFile({ fd, where, begin, bytes }: NpyPlace): NpyFile {
  const fail = (reason: string): UserError => new UserError(`${where} is not a usable .npy array: ${reason}`);
  const start = new Uint8Array(Math.min(NPY_HEADER_BYTES, bytes));
  readFully(fd, where, begin, start);
  const { descr: given, fortran, shape, end } = readNpyHeader(start, where);
  const precision = Object.hasOwn(FLOATS, given) ? FLOATS[given as keyof typeof FLOATS] : undefined;
  const descr = precision === undefined ? npyIntegerDtype(given, where) : given;
  if (fortran && shape.length > 1)
    throw fail("it is in Fortran order, which cannot be read token by token; save it with np.ascontiguousarray");
  const width = WIDTHS[descr] as number;
  const [needed, there] = [elementCount(shape) * width, bytes - end];
  if (needed !== there)
    throw fail(`shape (${shape.join(", ")}) of ${descr} needs ${needed} bytes, and ${there} are there (truncated?)`);
  const read = (from: number, to: number): ArrayBuffer => {
    const out = new Uint8Array((to - from) * width);
    readFully(fd, where, begin + end + from * width, out);
    return out.buffer;
  };
  return {
    shape,
    descr,
    precision,
    integers: (from, to) => integersOf(read(from, to), descr),
    floats: (from, to) => floatsOf(read(from, to), precision),
  };
}

function integersOf(buffer: ArrayBuffer, descr: string): Int32Array {
  if (descr === "<i4") return new Int32Array(buffer);
  if (descr === "|u1") return Int32Array.from(new Uint8Array(buffer));
  if (descr === "<u2") return Int32Array.from(new Uint16Array(buffer));
  if (descr === "<i2") return Int32Array.from(new Int16Array(buffer));
  // One that does not fit is no id, and becomes another that is none.
  const clamp = (id: bigint): number => Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(id)));
  const wide = new BigInt64Array(buffer);
  const out = new Int32Array(wide.length);
  for (let i = 0; i < wide.length; i++) out[i] = clamp(wide[i] as bigint);
  return out;
}

function floatsOf(buffer: ArrayBuffer, precision: WeightDtype | undefined): Float32Array {
  if (precision === "F16") return halfToFloat32(new Uint16Array(buffer), "f16");
  return precision === "F64" ? Float32Array.from(new Float64Array(buffer)) : new Float32Array(buffer);
}
