/** Opens a capture from anywhere; the format is recognised by content, not by name. */
import { closeSync } from "node:fs";
import { UserError } from "../../errors.ts";
import { arrayCapture } from "./array-capture.ts";
import type { CaptureArrays } from "./array-capture.ts";
import type { CaptureSource } from "./capture-source.ts";
import { openForReading, readFully } from "./file-bytes.ts";
import type { OpenedFile } from "./file-bytes.ts";
import type { ModelFacts } from "./model-facts.ts";
import { openMoeTrace } from "./moe-trace.ts";
import { openNpyFile } from "./npy-file.ts";
import type { NpyFile } from "./npy-file.ts";
import { openNpz } from "./npz.ts";
import { openSafetensorsCapture } from "./safetensors-capture.ts";

export type CaptureFormat = "safetensors" | "npy" | "npz" | "moe-trace" | "pickle" | "unknown";

/** @throws UserError where it cannot be read, is in no known format, or is no capture */
export async function openCapture(path: string, model: ModelFacts = {}): Promise<CaptureSource> {
  const file = openForReading(path);
  let format: CaptureFormat;
  try {
    format = recognise(path, file);
    if (format === "npy") {
      const ids = openNpyFile({ fd: file.fd, where: path, begin: 0, bytes: file.bytes });
      return { ...arrayCapture(path, ".npy array", { ids }, model), close: () => closeSync(file.fd) };
    }
    if (format === "moe-trace") {
      const source = openMoeTrace(path, file, model);
      closeSync(file.fd);
      return source;
    }
  } catch (error) {
    closeSync(file.fd);
    throw error;
  }
  if (format === "npz") return openNpzCapture(path, file, model);
  closeSync(file.fd);
  if (format === "safetensors") return openSafetensorsCapture(path);
  throw format === "pickle" ? pickled(path) : unknown(path);
}

/** Enough to tell all formats apart. */
const START_BYTES = 64;

/** Those that begin with a mark: from version 2 on. */
const PICKLE_PROTOCOLS: ReadonlySet<number> = new Set([2, 3, 4, 5]);

function recognise(path: string, { fd, bytes }: OpenedFile): CaptureFormat {
  const start = Buffer.alloc(Math.min(START_BYTES, bytes));
  readFully(fd, path, 0, start);
  // A header's length in 8 bytes, then the header, which is a JSON object.
  if (start.length >= 9 && start[8] === 0x7b && start.readUInt32LE(4) === 0) return "safetensors";
  const text = start.toString("latin1");
  if (text.startsWith("\u0093NUMPY")) return "npy";
  if (text.startsWith("PK\u0003\u0004") || text.startsWith("PK\u0005\u0006")) return "npz";
  if (start[0] === 0x80 && PICKLE_PROTOCOLS.has(start[1] ?? 0)) return "pickle";
  if (/^(?:layer,expert\r?\n)?\d+,\d+\r?\n/.test(text)) return "moe-trace";
  // Broken as it is, it is meant to be one: its own words say more.
  return path.endsWith(".safetensors") ? "safetensors" : "unknown";
}

const ARRAY_NAMES = {
  topk_ids: "ids",
  routed_experts: "ids",
  topk_weights: "weights",
  input_ids: "inputIds",
  doc_index: "docIndex",
  position: "position",
} as const satisfies Record<string, keyof CaptureArrays>;

async function openNpzCapture(path: string, file: OpenedFile, model: ModelFacts): Promise<CaptureSource> {
  const npz = await openNpz(path, file).catch((error: unknown) => {
    throw error instanceof UserError && error.message.endsWith("it is a torch archive") ? pickled(path) : error;
  });
  try {
    const arrays: Partial<Record<keyof CaptureArrays, NpyFile>> = {};
    for (const [name, place] of npz.arrays) {
      if (!Object.hasOwn(ARRAY_NAMES, name))
        throw new UserError(`${path}: array "${name}" is none of a capture's: ${Object.keys(ARRAY_NAMES).join(", ")}`);
      const part = ARRAY_NAMES[name as keyof typeof ARRAY_NAMES];
      if (arrays[part] !== undefined) throw new UserError(`${path} has both topk_ids and routed_experts; keep one`);
      arrays[part] = openNpyFile(place);
    }
    const { ids } = arrays;
    if (ids === undefined) throw new UserError(`${path} has no array "topk_ids"; see docs/captures.md`);
    return { ...arrayCapture(path, ".npz archive", { ...arrays, ids }, model), close: npz.close };
  } catch (error) {
    npz.close();
    throw error;
  }
}

/** Unpickling runs whatever the file says. */
function pickled(path: string): UserError {
  return new UserError(
    `${path} is a Python pickle (torch.save; SGLang's expert-distribution dump is one), which fusecheck never reads: ` +
      'convert it where it was made, with torch.load(..., weights_only=True) and np.savez("capture.npz", topk_ids=...), ' +
      'as docs/captures.md shows under "SGLang\'s expert-distribution dump"',
  );
}

function unknown(path: string): UserError {
  return new UserError(
    `${path} is in no format that is known: a capture file (safetensors), .npy, .npz, or llama.cpp's moe-trace CSV; ` +
      "see docs/captures.md",
  );
}
