/**
 * Routing parity: did every token use the same experts, with the same weights, in every MoE layer?
 *
 * Results are plain JSON and merge, so that a run that was stopped continues from what it had. Counts do not depend on the
 * order of merging; a sum of weight differences does in its last bits, so merge in doc order where files must be equal.
 */
import { DifferenceAccumulator, mergeDifferences, type DifferenceSum } from "./difference.ts";

/** What the routers of one variant chose for the tokens of one doc. */
export interface RoutingCapture {
  /** Expert ids, [layers * tokens * k], layer-major; their order inside a token is free. */
  readonly ids: ArrayLike<number>;
  /** The weight of each id, same shape; left out when the engine does not give them. */
  readonly weights?: ArrayLike<number> | undefined;
}

/** Two captures of the same token sequence. */
export interface RoutingDocPair {
  readonly docId: number;
  /** Model layer numbers of the MoE layers, in the order of the captures. */
  readonly layers: readonly number[];
  readonly nTokens: number;
  /** Experts per token. */
  readonly k: number;
  readonly baseline: RoutingCapture;
  readonly fused: RoutingCapture;
}

/** Parity of one MoE layer. */
export interface LayerParity {
  readonly layer: number;
  readonly tokens: number;
  /** tokens * k */
  readonly entries: number;
  /** Tokens whose set of experts differs. */
  readonly tokensMismatched: number;
  /** Ids that one variant chose and the other did not, each swap counted once. */
  readonly idsMismatched: number;
  /** Tokens with the same set in another order: allowed, the order is free. */
  readonly tokensReordered: number;
  /** Weight differences, by id, over the ids that both chose. */
  readonly weights: DifferenceSum;
}

/** Where the expert sets first differ: lowest doc id, then token position, then layer. */
export interface Divergence {
  readonly doc_id: number;
  /** Index of the token in the compared sequence, prompt included, from 0. */
  readonly position: number;
  readonly layer: number;
}

/** Parity of many docs. */
export interface RoutingParity {
  readonly docs: number;
  readonly tokens: number;
  /** Tokens whose expert set differs in at least one layer. */
  readonly tokensAffected: number;
  readonly layers: readonly LayerParity[];
  readonly firstDivergence: Divergence | null;
}

/** The parity of no docs: the start of every merge. */
export const NO_ROUTING: RoutingParity = { docs: 0, tokens: 0, tokensAffected: 0, layers: [], firstDivergence: null };

/**
 * Compares two captures of one doc.
 *
 * @throws RangeError when a capture does not have the shape that the pair states.
 */
export function compareRouting(pair: RoutingDocPair): RoutingParity {
  checkShapes(pair);
  const affected = new Uint8Array(pair.nTokens);
  let first: Divergence | null = null;
  const layers = pair.layers.map((layer, index) => {
    const parity = compareLayer(pair, layer, index, affected);
    if (parity.firstPosition >= 0) {
      first = earlier(first, { doc_id: pair.docId, position: parity.firstPosition, layer });
    }
    return parity.result;
  });
  const tokensAffected = affected.reduce((sum, token) => sum + token, 0);
  return { docs: 1, tokens: pair.nTokens, tokensAffected, layers, firstDivergence: first };
}

/**
 * The parity of both parts together; neither is changed. Parts must hold different docs.
 *
 * @throws RangeError when both have layers and these are not the same.
 */
export function mergeRouting(a: RoutingParity, b: RoutingParity): RoutingParity {
  if (a.docs === 0) return b;
  if (b.docs === 0) return a;
  const names = (parity: RoutingParity): string => parity.layers.map(({ layer }) => layer).join(", ");
  if (names(a) !== names(b))
    throw new RangeError(`MoE layers ${names(a)} cannot be merged with MoE layers ${names(b)}`);
  return {
    docs: a.docs + b.docs,
    tokens: a.tokens + b.tokens,
    tokensAffected: a.tokensAffected + b.tokensAffected,
    layers: a.layers.map((layer, index) => mergeLayer(layer, b.layers[index]!)),
    firstDivergence: earlier(a.firstDivergence, b.firstDivergence),
  };
}

function compareLayer(
  pair: RoutingDocPair,
  layer: number,
  index: number,
  affected: Uint8Array,
): { readonly result: LayerParity; readonly firstPosition: number } {
  const { nTokens, k, baseline, fused } = pair;
  const weights = new DifferenceAccumulator();
  let tokensMismatched = 0;
  let idsMismatched = 0;
  let tokensReordered = 0;
  let firstPosition = -1;
  for (let token = 0; token < nTokens; token++) {
    const start = (index * nTokens + token) * k;
    const missing = Math.max(idsNotIn(baseline.ids, fused.ids, start, k), idsNotIn(fused.ids, baseline.ids, start, k));
    if (missing > 0) {
      tokensMismatched++;
      idsMismatched += missing;
      affected[token] = 1;
      if (firstPosition < 0) firstPosition = token;
    } else if (!sameOrder(baseline.ids, fused.ids, start, k)) tokensReordered++;
    if (baseline.weights !== undefined && fused.weights !== undefined) {
      for (let slot = start; slot < start + k; slot++) {
        const other = findId(fused.ids, baseline.ids[slot]!, start, k);
        if (other >= 0) weights.add(baseline.weights[slot]!, fused.weights[other]!);
      }
    }
  }
  return {
    result: {
      layer,
      tokens: nTokens,
      entries: nTokens * k,
      tokensMismatched,
      idsMismatched,
      tokensReordered,
      weights: weights.result(),
    },
    firstPosition,
  };
}

/** How many distinct ids of `a` at [start, start + k) are not among those of `b`. k is small (8 or so): no sets needed. */
function idsNotIn(a: ArrayLike<number>, b: ArrayLike<number>, start: number, k: number): number {
  let count = 0;
  for (let slot = start; slot < start + k; slot++) {
    const id = a[slot]!;
    if (findId(a, id, start, k) === slot && findId(b, id, start, k) < 0) count++;
  }
  return count;
}

function findId(ids: ArrayLike<number>, id: number, start: number, k: number): number {
  for (let slot = start; slot < start + k; slot++) if (ids[slot] === id) return slot;
  return -1;
}

function sameOrder(a: ArrayLike<number>, b: ArrayLike<number>, start: number, k: number): boolean {
  for (let slot = start; slot < start + k; slot++) if (a[slot] !== b[slot]) return false;
  return true;
}

function mergeLayer(a: LayerParity, b: LayerParity): LayerParity {
  return {
    layer: a.layer,
    tokens: a.tokens + b.tokens,
    entries: a.entries + b.entries,
    tokensMismatched: a.tokensMismatched + b.tokensMismatched,
    idsMismatched: a.idsMismatched + b.idsMismatched,
    tokensReordered: a.tokensReordered + b.tokensReordered,
    weights: mergeDifferences(a.weights, b.weights),
  };
}

function earlier(a: Divergence | null, b: Divergence | null): Divergence | null {
  if (a === null || b === null) return a ?? b;
  const order = a.doc_id - b.doc_id || a.position - b.position || a.layer - b.layer;
  return order <= 0 ? a : b;
}

function checkShapes({ docId, layers, nTokens, k, baseline, fused }: RoutingDocPair): void {
  if (!Number.isSafeInteger(nTokens) || nTokens < 0) throw new RangeError(`doc ${docId}: nTokens is ${nTokens}`);
  if (!Number.isSafeInteger(k) || k < 1) throw new RangeError(`doc ${docId}: k is ${k}`);
  const entries = layers.length * nTokens * k;
  const lengths = {
    "baseline ids": baseline.ids.length,
    "fused ids": fused.ids.length,
    "baseline weights": baseline.weights?.length ?? entries,
    "fused weights": fused.weights?.length ?? entries,
  };
  for (const [name, length] of Object.entries(lengths)) {
    if (length !== entries) {
      throw new RangeError(
        `doc ${docId}: ${length} ${name}, not ${entries} (${layers.length} layers * ${nTokens} tokens * ${k} experts)`,
      );
    }
  }
}
