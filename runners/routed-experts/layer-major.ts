/** Brings ids into the order of a capture, and cuts captures. */
import type { RoutedExperts } from "./capture-result.ts";
import type { DecodedIds } from "./decoded-ids.ts";
import type { LayerColumn } from "./layer-columns.ts";
import type { MoeLayout } from "./moe-layout.ts";

/** [rows, layers, K] to [L, T, K], MoE layers only. Every id must have been found to be an expert's. */
export function toLayerMajor(
  { ids, weights, rows, layers, k }: DecodedIds,
  moe: readonly LayerColumn[],
  { nExpertsTot }: MoeLayout,
): RoutedExperts {
  const topkIds = new Uint16Array(moe.length * rows * k);
  const topkWeights = weights === undefined ? undefined : new Float32Array(topkIds.length);
  let to = 0;
  for (const { column } of moe) {
    for (let row = 0; row < rows; row++, to += k) {
      const from = (row * layers + column) * k;
      topkIds.set(ids.subarray(from, from + k), to);
      if (weights !== undefined) topkWeights?.set(weights.subarray(from, from + k), to);
    }
  }
  return {
    layers: moe.map(({ layer }) => layer),
    nTokens: rows,
    nExpertsAct: k,
    nExpertsTot,
    topkIds,
    ...(topkWeights !== undefined && { topkWeights }),
  };
}

/**
 * The first `nTokens` tokens of a capture.
 *
 * @throws RangeError when it has fewer
 */
export function firstTokens(routing: RoutedExperts, nTokens: number): RoutedExperts {
  if (!(nTokens >= 0 && nTokens <= routing.nTokens))
    throw new RangeError(`${nTokens} tokens of a capture of ${routing.nTokens}`);
  if (nTokens === routing.nTokens) return routing;
  const { layers, nExpertsAct: k, topkIds, topkWeights, margins } = routing;
  const cut = <A extends Uint16Array | Float32Array>(values: A, cutValues: A): A => {
    const perToken = values.length / (layers.length * routing.nTokens);
    for (let layer = 0; layer < layers.length; layer++) {
      const from = layer * routing.nTokens * perToken;
      cutValues.set(values.subarray(from, from + nTokens * perToken), layer * nTokens * perToken);
    }
    return cutValues;
  };
  const size = layers.length * nTokens * k;
  // Where close choices stand among the margins is said for all tokens.
  const { close: _, ...rest } = routing;
  return {
    ...rest,
    nTokens,
    topkIds: cut(topkIds, new Uint16Array(size)),
    ...(topkWeights !== undefined && { topkWeights: cut(topkWeights, new Float32Array(size)) }),
    ...(margins !== undefined && { margins: cut(margins, new Float32Array(layers.length * nTokens)) }),
  };
}
