/**
 * Reads tensors from a safetensors file: the header is read and checked on opening, each tensor only when it is asked
 * for, so that a large capture never has to fit into memory. Assumes a little-endian machine (all that Node runs on
 * in practice).
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError } from "../errors.ts";
import { halfToFloat32 } from "./half-floats.ts";
import {
  DTYPE_BYTES,
  type Dtype,
  parseHeader,
  parseHeaderLength,
  PREFIX_BYTES,
  quote,
  refuse,
} from "./safetensors-header.ts";
import type { TensorInfo } from "./safetensors-header.ts";

export type { TensorInfo } from "./safetensors-header.ts";

/** A tensor's elements, row-major. F16 and BF16 are bit patterns in a `Uint16Array`, BOOL is 0 or 1 in a `Uint8Array`. */
export type TensorArray =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Elements `begin` (default 0) up to, not including, `end` (default: all), counted over the flattened tensor. */
export interface ElementRange {
  readonly begin?: number;
  readonly end?: number;
}

export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The tensor's entry; a UserError that names the nearest choices where the file has no such tensor. */
  info(name: string): TensorInfo;
  /** The elements in their own dtype. Each call reads from the file into a fresh array. */
  read(name: string, range?: ElementRange): TensorArray;
  /** Fills `target` with the tensor's bytes from element `begin` on: for reading a tensor piece by piece without garbage. */
  readBytes(name: string, begin: number, target: Uint8Array): void;
  /** The elements of an F32, F16, BF16 or F64 tensor as float32; any other dtype is a UserError. */
  readFloat32(name: string, range?: ElementRange): Float32Array;
  /** The elements of an I32, U8, I8, U16, I16, BOOL or (values permitting) I64 tensor as int32. */
  readInt32(name: string, range?: ElementRange): Int32Array;
  close(): void;
}

/**
 * Opens a safetensors file and checks its whole header.
 * @throws UserError where the file is missing, unreadable, truncated, or its header is not what the format allows.
 */
export function openSafetensors(path: string): SafetensorsFile {
  const fd = openForReading(path);
  try {
    const fileBytes = fstatSync(fd).size;
    const prefix = readAt(path, fd, 0, Math.min(PREFIX_BYTES, fileBytes));
    const headerBytes = parseHeaderLength(path, prefix, fileBytes);
    const { metadata, tensors } = parseHeader(path, readAt(path, fd, PREFIX_BYTES, headerBytes), fileBytes);
    return openedFile(path, fd, metadata, tensors);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openedFile(
  path: string,
  fd: number,
  metadata: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, TensorInfo>,
): SafetensorsFile {
  let open = true;
  const info = (name: string): TensorInfo => {
    const tensor = tensors.get(name);
    if (tensor !== undefined) return tensor;
    const some = [...tensors.keys()].slice(0, 5).map(quote).join(", ");
    throw new UserError(`${path} has no tensor ${quote(name)}; it has ${tensors.size}, among them ${some || "none"}.`);
  };
  const read = (name: string, range: ElementRange = {}): TensorArray => {
    const tensor = info(name);
    if (!open) throw new Error(`${path} was closed before tensor ${quote(name)} was read`);
    const { begin = 0, end = tensor.size } = range;
    if (!(Number.isInteger(begin) && Number.isInteger(end) && 0 <= begin && begin <= end && end <= tensor.size)) {
      throw new RangeError(`elements [${begin}, ${end}) are not inside tensor ${quote(name)} of ${tensor.size}`);
    }
    const width = DTYPE_BYTES[tensor.dtype];
    const bytes = readAt(path, fd, tensor.begin + begin * width, (end - begin) * width);
    return new ARRAYS[tensor.dtype](bytes.buffer);
  };
  const readBytes = (name: string, begin: number, target: Uint8Array): void => {
    const tensor = info(name);
    if (!open) throw new Error(`${path} was closed before tensor ${quote(name)} was read`);
    const from = tensor.begin + begin * DTYPE_BYTES[tensor.dtype];
    if (!(Number.isSafeInteger(begin) && begin >= 0 && from + target.length <= tensor.end)) {
      throw new RangeError(`${target.length} bytes from element ${begin} on are not inside tensor ${quote(name)}`);
    }
    readInto(path, fd, from, target);
  };
  return {
    path,
    metadata,
    tensors,
    info,
    read,
    readBytes,
    readFloat32: (name, range) => toFloat32(path, info(name), read(name, range)),
    readInt32: (name, range) => toInt32(path, info(name), read(name, range)),
    close: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}

function openForReading(path: string): number {
  try {
    const fd = openSync(path, "r");
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`Cannot read ${path}: ${reason}. Check the path and its permissions.`, { cause });
  }
  throw new UserError(`Cannot read ${path}: it is not a file. Give the path of a safetensors file.`);
}

/** One read call may not exceed 2^31 - 1 bytes. */
const MAX_READ_BYTES = 2 ** 30;

function readAt(path: string, fd: number, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  readInto(path, fd, position, bytes);
  return bytes;
}

function readInto(path: string, fd: number, position: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const count = readSync(fd, bytes, done, Math.min(bytes.length - done, MAX_READ_BYTES), position + done);
    if (count === 0) throw refuse(path, `it ended ${bytes.length - done} bytes early while being read (truncated?)`);
    done += count;
  }
}

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
} as const satisfies Record<Dtype, unknown>;

function toFloat32(path: string, { name, dtype }: TensorInfo, values: TensorArray): Float32Array {
  if (values instanceof Float32Array) return values;
  if (values instanceof Float64Array) return Float32Array.from(values);
  if (values instanceof Uint16Array && dtype === "F16") return halfToFloat32(values, "f16");
  if (values instanceof Uint16Array && dtype === "BF16") return halfToFloat32(values, "bf16");
  throw refuse(path, `tensor ${quote(name)} is ${dtype}, but floating-point values are needed`);
}

function toInt32(path: string, { name, dtype }: TensorInfo, values: TensorArray): Int32Array {
  if (values instanceof Int32Array) return values;
  const isInteger = dtype === "BOOL" || dtype.startsWith("I") || dtype.startsWith("U");
  if (!isInteger) throw refuse(path, `tensor ${quote(name)} is ${dtype}, but integers are needed`);
  const out = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (value !== (value | 0)) throw refuse(path, `tensor ${quote(name)} holds ${value}, beyond 32-bit integers`);
    out[i] = value;
  }
  return out;
}
