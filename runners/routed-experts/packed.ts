/**
 * prime-rl's patched vLLM: the `.npy` payload of vLLM, int32 and twice as wide: K ids, then the bits of their K float32
 * weights. The one form that carries weights. It has to be asked for: a layout with half the real K would look like it.
 */
import { unreadable } from "./decoded-ids.ts";
import type { DecodedIds, ServedTokens } from "./decoded-ids.ts";
import { decodeVllm } from "./vllm.ts";

/** @throws CaptureError where there is no capture, or none that can be read */
export function decodePacked(body: unknown, served: ServedTokens): DecodedIds {
  const { rows, layers, k: width, ids: packed } = decodeVllm(body, served);
  if (width !== 2 * served.layout.nExpertsAct)
    throw unreadable(
      `each token has ${width} numbers per layer; packed ids and weights have 2 * K = ${2 * served.layout.nExpertsAct}`,
    );
  const k = width / 2;
  const groups = rows * layers;
  const ids = new Int32Array(groups * k);
  const weights = new Float32Array(groups * k);
  const bits = new Int32Array(weights.buffer);
  for (let group = 0; group < groups; group++) {
    const from = group * width;
    ids.set(packed.subarray(from, from + k), group * k);
    bits.set(packed.subarray(from + k, from + width), group * k);
  }
  return { rows, layers, k, ids, weights };
}
