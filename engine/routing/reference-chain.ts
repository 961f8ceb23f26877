/**
 * The reference chain: how routing data were made before the kernels were fused. One function per step of the original
 * torch code, in its order, chosen to be read and checked rather than to be fast.
 */
import type { RoutingData, RoutingInput, WeightArray } from "./routing-data.ts";
import { checkRoutingInput, idOutOfRange, zerosLike } from "./routing-input.ts";

/**
 * Routing data by row sort, two stable argsorts and a histogram. A flat index is token*K + rank after the row sort.
 * @throws UserError where sizes disagree or an id is outside [0, E) and there is no expert map.
 */
export function routingFromTopk<W extends WeightArray>(input: RoutingInput<W>): RoutingData<W> {
  checkRoutingInput(input);
  const local = mapToLocalExperts(input);
  const sorted = sortRowsByExpert(local.ids, local.weights, input.nExpertsAct);
  const topkIndx = stableArgsort(sorted.ids);
  const gateIndx = stableArgsort(topkIndx);
  const gateScal = gather(sorted.weights, topkIndx);
  const hist = histogram(sorted.ids, input.nExpertsTot);
  return { hist, topkIndx, gateIndx, gateScal };
}

interface Entries<W extends WeightArray> {
  readonly ids: Int32Array;
  readonly weights: W;
}

/** Step 1: with an expert map, global ids become local ones, and entries of other ranks get id 0 and weight 0. */
function mapToLocalExperts<W extends WeightArray>(input: RoutingInput<W>): Entries<W> {
  const { topkIds, topkWeights, nExpertsTot, expertMap } = input;
  const ids = topkIds.slice();
  const weights = gather(topkWeights, identity(topkWeights.length));
  for (let i = 0; i < ids.length; i++) {
    const id = topkIds[i] ?? 0;
    const localId = expertMap === undefined ? id : (expertMap[id] ?? -1);
    if (localId >= nExpertsTot || (localId < 0 && expertMap === undefined)) throw idOutOfRange(input, i);
    ids[i] = Math.max(localId, 0);
    if (localId < 0) weights[i] = 0;
  }
  return { ids, weights };
}

/** Step 2: each row's ids ascending (equal ids keep their slots' order), its weights along with them. */
function sortRowsByExpert<W extends WeightArray>(ids: Int32Array, weights: W, rowLength: number): Entries<W> {
  const order = new Int32Array(ids.length);
  for (let start = 0; start < ids.length; start += rowLength) {
    const rowOrder = stableArgsort(ids.subarray(start, start + rowLength));
    for (let rank = 0; rank < rowLength; rank++) order[start + rank] = start + (rowOrder[rank] ?? 0);
  }
  return { ids: gather(ids, order), weights: gather(weights, order) };
}

/**
 * Steps 4 and 5: the indices that sort `keys` ascending, equal keys in ascending index order. Key and index are packed
 * into one number, so that the plain numeric sort is a stable one; exact while (largest key + 1) * length <= 2^53.
 */
function stableArgsort(keys: Int32Array): Int32Array {
  const n = keys.length;
  const packed = new Float64Array(n);
  for (let i = 0; i < n; i++) packed[i] = (keys[i] ?? 0) * n + i;
  packed.sort();
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = (packed[i] ?? 0) % n;
  return order;
}

/** Step 6: `values[indices]`. */
function gather<T extends Int32Array | WeightArray>(values: T, indices: Int32Array): T {
  const out = (values instanceof Int32Array ? new Int32Array(indices.length) : zerosLike(values, indices.length)) as T;
  for (let i = 0; i < indices.length; i++) out[i] = values[indices[i] ?? 0] ?? 0;
  return out;
}

/** Step 7: how many entries each expert has. */
function histogram(ids: Int32Array, nExperts: number): Int32Array {
  const hist = new Int32Array(nExperts);
  for (const id of ids) hist[id] = (hist[id] ?? 0) + 1;
  return hist;
}

function identity(length: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => i);
}
