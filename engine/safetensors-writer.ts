/**
 * Writes a safetensors file of known shapes piece by piece, so that it need not fit into memory. The file appears under
 * its name only when it is complete: until then it is a temporary file beside it.
 */
import { closeSync, fsyncSync, openSync, renameSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { UserError } from "../errors.ts";
import { DTYPE_BYTES, type Dtype, elementCount, PREFIX_BYTES } from "./safetensors-header.ts";
import type { TensorArray } from "./safetensors.ts";

export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

export interface SafetensorsWriter {
  /** Appends elements to a tensor. Tensors may be filled in any order and in turns. */
  write(name: string, elements: TensorArray): void;
  /** Checks that every tensor is full, makes the file durable (fsync) and gives it its name (rename). */
  close(): void;
  /** Removes what was written; the named file is as it was before. Does nothing after `close`. */
  abort(): void;
}

/**
 * Starts a file. Larger dtypes are laid out first, so that each tensor is aligned to its element size.
 * @throws UserError where the place cannot be written to.
 */
export function createSafetensorsWriter(
  path: string,
  tensors: readonly TensorSpec[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsWriter {
  const layout = layOut(tensors);
  const header = encodeHeader(layout, metadata);
  const temporary = `${path}.${process.pid}-${Math.random().toString(36).slice(2)}.tmp`;
  let fd: number | undefined = attempt(path, () => openSync(temporary, "wx"));

  const abort = (): void => {
    if (fd === undefined) return;
    closeSync(fd);
    fd = undefined;
    unlinkSync(temporary);
  };
  /** Runs one step of writing; a failed one leaves nothing behind. */
  const step = (work: (file: number) => void): void => {
    if (fd === undefined) throw new Error(`${path} is already closed`);
    const file = fd;
    try {
      attempt(path, () => work(file));
    } catch (error) {
      abort();
      throw error;
    }
  };

  step((file) => writeAt(file, header, 0));
  return {
    write: (name, elements) => {
      const tensor = layout.get(name);
      if (tensor === undefined) throw new RangeError(`tensor ${name} was not announced`);
      const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
      if (elements.BYTES_PER_ELEMENT !== DTYPE_BYTES[tensor.dtype] || tensor.filled + bytes.length > tensor.bytes) {
        throw new RangeError(
          `tensor ${name}: ${bytes.length} bytes do not fit ${tensor.dtype} [${tensor.shape.join(", ")}]`,
        );
      }
      step((file) => writeAt(file, bytes, header.length + tensor.begin + tensor.filled));
      tensor.filled += bytes.length;
    },
    close: () => {
      for (const { name, bytes, filled } of layout.values()) {
        if (filled !== bytes) throw new RangeError(`tensor ${name} has ${filled} of ${bytes} bytes`);
      }
      step((file) => {
        fsyncSync(file);
        renameSync(temporary, path);
        closeSync(file);
        fd = undefined;
        syncFolder(dirname(path));
      });
    },
    abort,
  };
}

/** Writes a file whose tensors are all in memory. */
export function writeSafetensors(
  path: string,
  tensors: readonly (TensorSpec & { readonly data: TensorArray })[],
  metadata: Readonly<Record<string, string>> = {},
): void {
  const writer = createSafetensorsWriter(path, tensors, metadata);
  try {
    for (const { name, data } of tensors) writer.write(name, data);
    writer.close();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

interface Place extends TensorSpec {
  readonly begin: number;
  readonly bytes: number;
  filled: number;
}

function layOut(tensors: readonly TensorSpec[]): Map<string, Place> {
  const layout = new Map<string, Place>();
  let begin = 0;
  for (const tensor of tensors.toSorted((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype])) {
    const bytes = elementCount(tensor.shape) * DTYPE_BYTES[tensor.dtype];
    if (!Number.isSafeInteger(begin + bytes) || tensor.shape.some((n) => !Number.isSafeInteger(n) || n < 0)) {
      throw new RangeError(`tensor ${tensor.name}: impossible shape [${tensor.shape.join(", ")}]`);
    }
    if (layout.has(tensor.name) || tensor.name === "__metadata__" || tensor.name === "__proto__") {
      throw new RangeError(`tensor name ${tensor.name} is reserved or used twice`);
    }
    layout.set(tensor.name, { ...tensor, begin, bytes, filled: 0 });
    begin += bytes;
  }
  return layout;
}

function encodeHeader(layout: ReadonlyMap<string, Place>, metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  for (const { name, dtype, shape, begin, bytes } of layout.values()) {
    entries.push([name, { dtype, shape, data_offsets: [begin, begin + bytes] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  // Spaces after the JSON keep the data, and with it every tensor, aligned to 8 bytes.
  const padded = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(PREFIX_BYTES + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, PREFIX_BYTES);
  return header;
}

function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    done += writeSync(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
  }
}

/** Makes the rename durable. Not every system can open a folder; where it cannot, the rename is still atomic. */
function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`Cannot write ${path}: ${reason}. Check the folder, its permissions and free space.`, {
      cause,
    });
  }
}
