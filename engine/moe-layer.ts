/**
 * What a mixture-of-experts layer does around its experts: gather the token rows in expert order, and combine what the
 * experts return. Both read the routing data and nothing else, so that wrong routing data gives wrong answers.
 */
import type { RoutingData } from "./routing/routing-data.ts";

/**
 * Token rows in expert order: row j is the row of the token that position j belongs to.
 *
 * @param hidden - [N, H]
 * @returns [NK, H]
 */
export function gatherRows(
  hidden: Float32Array,
  routing: RoutingData,
  nExpertsAct: number,
  hiddenSize: number,
): Float32Array {
  const { topkIndx } = routing;
  const rows = new Float32Array(topkIndx.length * hiddenSize);
  for (let j = 0; j < topkIndx.length; j++) {
    const token = Math.floor((topkIndx[j] as number) / nExpertsAct);
    rows.set(hidden.subarray(token * hiddenSize, (token + 1) * hiddenSize), j * hiddenSize);
  }
  return rows;
}

/**
 * Adds each token's K expert outputs, weighted, to `base`, in place.
 *
 * The K terms are added in the order of the flat index: ascending expert id for the reference chain, selection order
 * for the fused one. The two orders round differently in the last bit, as they did in the original engine.
 *
 * @param expertRows - [NK, H], the experts' outputs in expert order
 * @param base - [N, H]
 */
export function combineRows(
  expertRows: Float32Array,
  routing: RoutingData,
  nExpertsAct: number,
  hiddenSize: number,
  base: Float32Array,
): void {
  const { gateIndx, gateScal } = routing;
  const sum = new Float32Array(hiddenSize);
  for (let token = 0; token * nExpertsAct < gateIndx.length; token++) {
    sum.fill(0);
    for (let k = 0; k < nExpertsAct; k++) {
      const position = gateIndx[token * nExpertsAct + k] as number;
      addScaled(sum, expertRows, position * hiddenSize, gateScal[position] as number);
    }
    addScaled(base, sum, 0, 1, token * hiddenSize, hiddenSize);
  }
}

/** target[to + i] += scale * source[from + i] for i < count. */
function addScaled(
  target: Float32Array,
  source: Float32Array,
  from: number,
  scale: number,
  to = 0,
  count: number = target.length,
): void {
  for (let i = 0; i < count; i++) target[to + i] = (target[to + i] as number) + scale * (source[from + i] as number);
}
