/**
 * The header of a safetensors file: what it may say, and what is refused. A file from elsewhere is untrusted, so nothing
 * that the header claims (lengths, offsets, names) is used before it was checked against the file's size.
 *
 * Layout: 8 bytes, little-endian length of the header; the header, a JSON object of `name -> {dtype, shape,
 * data_offsets}` and optionally `__metadata__` (strings); then the tensors' bytes, back to back, little-endian.
 */
import { UserError } from "../errors.ts";

/** Bytes per element of each dtype that is read and written. */
export const DTYPE_BYTES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
} as const;

export type Dtype = keyof typeof DTYPE_BYTES;

export interface TensorInfo {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Number of elements: the product of `shape`, 1 for a scalar. */
  readonly size: number;
  /** Bytes from the start of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * The longest header that is read, in bytes. It bounds the memory and time that a hostile file can cost (some 300 MB and
 * a second or two). The format allows 100,000,000, but 16 MiB already describe 150,000 tensors, several times those of
 * the largest checkpoints' files.
 */
const MAX_HEADER_BYTES: number = 16 * 2 ** 20;

/** Dimensions that a shape may have; as many as NumPy allows. */
const MAX_RANK = 64;

/** Bytes before the header: its length as an unsigned 64-bit integer. */
export const PREFIX_BYTES = 8;

/** Reads the header's length from the first 8 bytes of `path`, or refuses it. */
export function parseHeaderLength(path: string, prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < PREFIX_BYTES) {
    throw refuse(path, `it has ${fileBytes} bytes, too few for a safetensors file`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw refuse(path, `its header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are read`);
  }
  const bytes = Number(length);
  if (PREFIX_BYTES + bytes > fileBytes) {
    throw refuse(path, `its header claims ${bytes} bytes, but the file has only ${fileBytes} (truncated?)`);
  }
  return bytes;
}

/**
 * Parses and checks a header. Refuses, with the tensor and the reason: text that is not UTF-8 or not a JSON object,
 * repeated keys, unknown dtypes, shapes that disagree with their offsets, tensors that overlap, leave gaps or end
 * anywhere but at the end of the file.
 */
export function parseHeader(path: string, bytes: Uint8Array, fileBytes: number): Header {
  const text = decode(path, bytes);
  const written = scanJson(text);
  if (written.depth > MAX_DEPTH) throw refuse(path, `its header is nested more than ${MAX_DEPTH} levels deep`);
  const header = parseJson(path, text);
  const dataStart = PREFIX_BYTES + bytes.length;
  const dataBytes = fileBytes - dataStart;
  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  let keys = 0;
  for (const [name, entry] of Object.entries(header)) {
    keys++;
    if (!isObject(entry)) throw refuse(path, `its header entry ${quote(name)} is not an object`);
    keys += Object.keys(entry).length;
    if (name === "__metadata__") metadata = parseMetadata(path, entry);
    else tensors.set(name, parseEntry(path, name, entry, dataStart, dataBytes));
  }
  // JSON.parse keeps the last of two equal keys and forgets the other: only the text shows that there were more.
  if (written.keys !== keys) throw refuse(path, "its header repeats a key");
  checkCoverage(path, tensors, dataStart, fileBytes);
  return { metadata, tensors };
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refuse(path, "its header is not UTF-8", cause);
  }
}

function parseJson(path: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(path, "its header is not JSON", cause);
  }
  if (!isObject(value)) throw refuse(path, "its header is not a JSON object");
  return value;
}

function parseMetadata(path: string, entry: Record<string, unknown>): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== "string") throw refuse(path, `its metadata ${quote(key)} is not a string`);
    metadata.set(key, value);
  }
  return metadata;
}

const ENTRY_KEYS = new Set(["dtype", "shape", "data_offsets"]);

function parseEntry(
  path: string,
  name: string,
  entry: Record<string, unknown>,
  dataStart: number,
  dataBytes: number,
): TensorInfo {
  const fail = (reason: string): UserError => refuse(path, `tensor ${quote(name)}: ${reason}`);
  // Harmless here, but a trap for every program that later keeps tensors in a plain object.
  if (name === "__proto__") throw fail("this name is not allowed");
  for (const key of Object.keys(entry)) if (!ENTRY_KEYS.has(key)) throw fail(`unknown field ${quote(key)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    throw fail(`unknown dtype ${quote(dtype)}; known are ${Object.keys(DTYPE_BYTES).join(", ")}`);
  }
  if (!isCounts(shape) || shape.length > MAX_RANK) {
    throw fail(`its shape is not a list of at most ${MAX_RANK} non-negative integers below 2^53`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw fail("its data_offsets are not two non-negative integers below 2^53");
  }
  const [begin = 0, end = 0] = offsets;
  if (end < begin || end > dataBytes) {
    throw fail(`its data_offsets [${begin}, ${end}] lie outside the file's ${dataBytes} bytes of data (truncated?)`);
  }
  const size = elementCount(shape);
  const needed = size * DTYPE_BYTES[dtype];
  if (needed !== end - begin) {
    throw fail(`${dtype} of shape ${brief(shape)} needs ${needed} bytes, but its data_offsets span ${end - begin}`);
  }
  return { name, dtype, shape, size, begin: dataStart + begin, end: dataStart + end };
}

function checkCoverage(path: string, tensors: ReadonlyMap<string, TensorInfo>, start: number, fileBytes: number): void {
  const byPlace = [...tensors.values()].toSorted((a, b) => a.begin - b.begin || a.end - b.end);
  let position = start;
  for (const { name, begin, end } of byPlace) {
    if (begin !== position) {
      const what = begin < position ? "overlaps the tensor before it" : "leaves a gap before it";
      throw refuse(
        path,
        `tensor ${quote(name)}: ${what} (starts at byte ${begin - start}, expected ${position - start})`,
      );
    }
    position = end;
  }
  if (position !== fileBytes) {
    throw refuse(path, `${fileBytes - position} bytes after its last tensor belong to no tensor`);
  }
}

/** The header, a tensor's entry, and its shape or offsets. */
const MAX_DEPTH = 3;

/**
 * What only the text shows: how many keys were written (colons outside of strings) and how deep it is nested. Right for
 * JSON; for anything else it does not matter, as parsing will refuse it.
 */
function scanJson(text: string): { readonly keys: number; readonly depth: number } {
  let [keys, level, depth] = [0, 0, 0];
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c /* \ */) i++;
      else if (code === 0x22 /* " */) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x3a /* : */) keys++;
    else if (code === 0x5b /* [ */ || code === 0x7b /* { */) depth = Math.max(depth, ++level);
    else if (code === 0x5d /* ] */ || code === 0x7d /* } */) level--;
  }
  return { keys, depth };
}

/** The number of elements of a shape; 1 for a scalar (`[]`). Infinity or beyond 2^53 never equals a real byte count. */
export function elementCount(shape: readonly number[]): number {
  // A zero anywhere makes it 0, also where the other factors would overflow to Infinity (and 0 * Infinity to NaN).
  if (shape.includes(0)) return 0;
  let size = 1;
  for (const dimension of shape) size *= dimension;
  return size;
}

function isDtype(name: string): name is Dtype {
  return Object.hasOwn(DTYPE_BYTES, name);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function brief(shape: readonly number[]): string {
  return shape.length <= 8
    ? `[${shape.join(", ")}]`
    : `[${shape.slice(0, 8).join(", ")}, ...] (${shape.length} dimensions)`;
}

/** A name from an untrusted file, shortened and escaped so that it cannot flood or forge a message. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 100 ? text : `${text.slice(0, 100)}...`;
}

export function refuse(path: string, reason: string, cause?: unknown): UserError {
  return new UserError(
    `${path} is not a usable safetensors file: ${reason}. Use a complete, unmodified file.`,
    cause === undefined ? undefined : { cause },
  );
}
