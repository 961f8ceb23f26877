/**
 * Reads NumPy's `.npy` format: integer arrays, as routed experts come in. The bytes are from elsewhere and untrusted:
 * nothing that the header claims is used before it was checked against what is there.
 *
 * Layout: `\x93NUMPY`, major and minor version, the header's length (16 bits in version 1, 32 bits after it), the header
 * (a Python dict literal), then the elements.
 */
import { UserError } from "../../errors.ts";
import { elementCount } from "../../engine/safetensors-header.ts";

export type NpyData = Uint8Array | Uint16Array | Int16Array | Int32Array | BigInt64Array;

export interface NpyArray {
  readonly dtype: NpyDtype;
  readonly shape: readonly number[];
  /** Row-major ("C order"), whatever order the file has. */
  readonly data: NpyData;
}

/** NumPy's name of a type: byte order, kind, bytes. */
export type NpyDtype = "|u1" | "<u2" | "<i2" | "<i4" | "<i8";

const ARRAYS = {
  "|u1": Uint8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<i4": Int32Array,
  "<i8": BigInt64Array,
} as const satisfies Record<NpyDtype, unknown>;

const MAGIC = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59);

/** As NumPy itself has it: no array of numbers needs more. */
const MAX_HEADER_BYTES = 10_000;

/** Dimensions that a shape may have; as many as NumPy allows. */
const MAX_RANK = 64;

/**
 * @param where - what the bytes are, for messages
 * @throws UserError that says what is wrong with them
 */
export function readNpy(bytes: Uint8Array, where: string): NpyArray {
  const fail = failIn(where);
  const { descr, fortran, shape, end } = readNpyHeader(bytes, where);
  const dtype = dtypeOf(descr, fail);
  const width = ARRAYS[dtype].BYTES_PER_ELEMENT;
  const needed = elementCount(shape) * width;
  const there = bytes.length - end;
  // A product beyond 2^53 is inexact, and never equals the length of anything.
  if (needed > there)
    throw fail(`shape (${shape.join(", ")}) of ${dtype} needs ${needed} bytes, and ${there} are there (truncated?)`);
  if (needed < there) throw fail(`${there - needed} bytes follow its last element`);
  // A copy, because elements of several bytes must start where the machine wants them.
  const own = new Uint8Array(needed);
  own.set(bytes.subarray(end));
  const data = new ARRAYS[dtype](own.buffer);
  return { dtype, shape, data: fortran && shape.length > 1 ? toRowMajor(data, shape) : data };
}

/** The most bytes that `readNpyHeader` looks at. */
export const NPY_HEADER_BYTES: number = 12 + MAX_HEADER_BYTES;

export interface NpyHeader {
  /** NumPy's name of the dtype, whatever it is. */
  readonly descr: string;
  /** Column-major. */
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly end: number;
}

/**
 * @param bytes - the array's first bytes, at least `NPY_HEADER_BYTES` where there are as many
 * @throws UserError that says what is wrong with them
 */
export function readNpyHeader(bytes: Uint8Array, where: string): NpyHeader {
  const fail = failIn(where);
  const { text, end } = headerOf(bytes, fail);
  return { ...parseHeader(text, fail), end };
}

/** @throws UserError for anything but the integers that can be read */
export function npyIntegerDtype(descr: string, where: string): NpyDtype {
  return dtypeOf(descr, failIn(where));
}

type Fail = (reason: string) => UserError;

function failIn(where: string): Fail {
  return (reason) => new UserError(`${where} is not a usable .npy array: ${reason}`);
}

function headerOf(bytes: Uint8Array, fail: Fail): { readonly text: string; readonly end: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) throw fail("it does not start as one");
  const [major = 0, minor = 0] = bytes.subarray(6, 8);
  if (major < 1 || major > 3 || minor !== 0) throw fail(`version ${major}.${minor}; 1.0, 2.0 and 3.0 are read`);
  const start = major === 1 ? 10 : 12;
  if (bytes.length < start) throw fail("it ends inside its header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER_BYTES) throw fail(`its header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are read`);
  if (start + length > bytes.length) throw fail("it ends inside its header");
  const end = start + length;
  // All that an integer array's header can say is ASCII, in every version.
  return { text: Buffer.from(bytes.subarray(start, end)).toString("latin1"), end };
}

const ENTRY =
  /\s*'(?<key>descr|fortran_order|shape)'\s*:\s*(?:'(?<text>[^']*)'|(?<flag>True|False)|\((?<shape>[\d,\s]*)\))\s*(?:,|(?=\}))/y;

/** Reads the one kind of dict literal that there can be; anything else is refused, not interpreted. */
function parseHeader(text: string, fail: Fail): Omit<NpyHeader, "end"> {
  if (text.startsWith("{'descr': [")) throw fail("it holds records of several fields; one array of integers is needed");
  const found = new Map<string, string>();
  const body = text.trimEnd();
  let at = 1;
  while (body.startsWith("{")) {
    ENTRY.lastIndex = at;
    const entry = ENTRY.exec(body)?.groups;
    if (entry === undefined) break;
    const { key = "" } = entry;
    const value = { descr: entry["text"], fortran_order: entry["flag"], shape: entry["shape"] }[key];
    if (value === undefined || found.has(key)) throw fail(`its header's ${key} is not what it should be`);
    found.set(key, value);
    at = ENTRY.lastIndex;
  }
  const [descr, fortran, shape] = ["descr", "fortran_order", "shape"].map((key) => found.get(key));
  if (descr === undefined || fortran === undefined || shape === undefined || body.slice(at).trim() !== "}")
    throw fail("its header is not a dict of descr, fortran_order and shape");
  return { descr, fortran: fortran === "True", shape: parseShape(shape, fail) };
}

/** `3, 4`, `3,` or nothing (a scalar). */
function parseShape(text: string, fail: Fail): readonly number[] {
  if (text.trim() === "") return [];
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length > 1 && parts.at(-1) === "") parts.pop();
  const shape = parts.map(Number);
  const whole = parts.every((part) => /^\d+$/.test(part)) && shape.every(Number.isSafeInteger);
  if (!whole || shape.length > MAX_RANK) throw fail(`its shape is not at most ${MAX_RANK} whole numbers below 2^53`);
  return shape;
}

function dtypeOf(descr: string, fail: Fail): NpyDtype {
  // One byte has no order, but may be written as if it had.
  const name = descr.replace(/^[<=|]u1$/, "|u1");
  if (Object.hasOwn(ARRAYS, name)) return name as NpyDtype;
  // What looks like no dtype is not repeated: it may be anything.
  const shown = /^[<>=|]?[A-Za-z]\d{0,4}$/.test(descr) ? `"${descr}"` : "of no known kind";
  if (descr.startsWith(">")) throw fail(`dtype ${shown} is big-endian; save it with .astype("<i4")`);
  if (/^[|]?O/.test(descr)) throw fail(`dtype ${shown} is of Python objects, which only unpickling could read`);
  throw fail(`dtype ${shown}; known are ${Object.keys(ARRAYS).join(", ")}`);
}

function toRowMajor<Data extends NpyData>(data: Data, shape: readonly number[]): Data {
  const out = data.slice() as Data;
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => elementCount(shape.slice(0, axis)));
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = data[from] as Data[number];
    // The next index, the last axis fastest, and where it stands in column-major order.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      const next = (index[axis] as number) + 1;
      from += stride;
      index[axis] = next;
      if (next < (shape[axis] as number)) break;
      from -= next * stride;
      index[axis] = 0;
    }
  }
  return out;
}
