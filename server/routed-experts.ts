/**
 * Which experts each token used, in the two encodings that engines have for it: [tokens, layers, K] for all tokens of
 * prompt and completion but the last, which was not run; every layer of the model, zeros where it has no experts.
 */
import type { RoutingCapture } from "../engine/requests.ts";

interface Window {
  /** Layers of the model. */
  readonly nLayers: number;
  /** Tokens at the start that are left out. */
  readonly start: number;
}

/** SGLang's: base64 of int32 in little-endian order, without a header. */
export function sglangRoutedExperts(capture: RoutingCapture, window: Window): string {
  return pack(capture, window, 4, (bytes, id, at) => bytes.writeInt32LE(id, at)).toString("base64");
}

/** vLLM's: base64 of a NumPy file, of bytes where all expert ids fit, else uint16. */
export function vllmRoutedExperts(capture: RoutingCapture, window: Window): string {
  const { nTokens, nExpertsAct, nExpertsTot } = capture;
  const shape = [nTokens - window.start, window.nLayers, nExpertsAct];
  const small = nExpertsTot <= 256;
  const data = small
    ? pack(capture, window, 1, (bytes, id, at) => bytes.writeUInt8(id, at))
    : pack(capture, window, 2, (bytes, id, at) => bytes.writeUInt16LE(id, at));
  return Buffer.concat([npyHeader(small ? "|u1" : "<u2", shape), data]).toString("base64");
}

function pack(
  { layers, nTokens, nExpertsAct, topkIds }: RoutingCapture,
  { nLayers, start }: Window,
  itemSize: number,
  write: (bytes: Buffer, id: number, at: number) => void,
): Buffer {
  const bytes = Buffer.alloc((nTokens - start) * nLayers * nExpertsAct * itemSize);
  for (const [i, layer] of layers.entries()) {
    for (let token = start; token < nTokens; token++) {
      const from = (i * nTokens + token) * nExpertsAct;
      const to = ((token - start) * nLayers + layer) * nExpertsAct;
      for (let k = 0; k < nExpertsAct; k++) write(bytes, topkIds[from + k] as number, (to + k) * itemSize);
    }
  }
  return bytes;
}

/** Version 1.0 of the format: magic, length, a Python literal, padded so that the data begin at a multiple of 64. */
function npyHeader(dtype: string, shape: readonly number[]): Buffer {
  const literal = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  const fixed = 10;
  const length = Math.ceil((fixed + literal.length + 1) / 64) * 64 - fixed;
  const header = Buffer.from(`\u0093NUMPY\u0001\u0000??${literal.padEnd(length - 1)}\n`, "latin1");
  header.writeUInt16LE(length, 8);
  return header;
}
