/**
 * Routing parity: did every token use the same experts, with the same weights, in every MoE layer?
 *
 * Two engines that sum in another order differ in last bits, and where a router's choice is closer than that, either
 * expert is right. Once a token went to another expert, what follows from it differs for real. So each difference is given
 * a cause, and only what no cause explains speaks against the engine:
 *
 * - *downstream*: an earlier layer sent this token, or one before it, to other experts. A layer's router sees what the
 *   layers before it made of this token and, through attention, of the tokens before it: nothing else.
 * - *near-tie*: one expert swapped where both routers' margins are within rounding.
 * - *unexplained*: all else.
 *
 * Results are plain JSON and merge, so that a run that was stopped continues from what it had. Counts do not depend on the
 * order of merging; a sum of weight differences does in its last bits, so merge in doc order where files must be equal.
 */
import { DifferenceAccumulator, mergeDifferences, type DifferenceSum } from "./difference.ts";
import { findId, sameOrder, swappedIds } from "./expert-sets.ts";

/** What the routers of one variant chose for the tokens of one doc. */
export interface RoutingCapture {
  /** Expert ids, [layers * tokens * k], layer-major; their order inside a token is free. */
  readonly ids: ArrayLike<number>;
  /** The weight of each id, same shape; left out when the engine does not give them. */
  readonly weights?: ArrayLike<number> | undefined;
  /** [layers * tokens] how far the worst expert chosen scored above the best one left out; left out when not known. */
  readonly margins?: ArrayLike<number> | undefined;
}

/** Two captures of the same token sequence. */
export interface RoutingDocPair {
  readonly docId: number;
  /** Model layer numbers of the MoE layers, ascending, in the order of the captures. */
  readonly layers: readonly number[];
  readonly nTokens: number;
  /** Experts per token. */
  readonly k: number;
  readonly baseline: RoutingCapture;
  readonly fused: RoutingCapture;
  /** Margins up to this are ties within rounding. Default `NEAR_TIE_MARGIN`. */
  readonly nearTieMargin?: number;
}

/**
 * Of scores between 0 and 1 in float32: some hundred times the spacing of the numbers, as far as two orders of summing a
 * few hundred terms move a score, and as much as the embedded engine may differ from Transformers.
 */
const NEAR_TIE_MARGIN = 1e-5;

/** Parity of one MoE layer. */
export interface LayerParity {
  readonly layer: number;
  readonly tokens: number;
  /** tokens * k */
  readonly entries: number;
  /** Tokens whose set of experts differs; the sum of the next three. */
  readonly tokensMismatched: number;
  readonly nearTies: number;
  readonly downstream: number;
  readonly unexplained: number;
  /** Ids that one variant chose and the other did not, each swap counted once. */
  readonly idsMismatched: number;
  /** Tokens with the same set in another order: allowed, the order is free. */
  readonly tokensReordered: number;
  /** Tokens downstream of a divergence, whether or not their experts differ: no evidence of anything. */
  readonly tokensNotJudged: number;
  /** Weight differences, by id, of the tokens that are judged and whose experts are the same. */
  readonly weights: DifferenceSum;
}

/** Where expert sets first differ: lowest doc id, then token position, then layer. */
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
  /** Whether near-ties could be told apart: false where any capture came without margins. */
  readonly marginsKnown: boolean;
  readonly layers: readonly LayerParity[];
  readonly firstDivergence: Divergence | null;
  readonly firstUnexplained: Divergence | null;
}

/** The parity of no docs: the start of every merge. */
export const NO_ROUTING: RoutingParity = {
  docs: 0,
  tokens: 0,
  tokensAffected: 0,
  marginsKnown: true,
  layers: [],
  firstDivergence: null,
  firstUnexplained: null,
};

/**
 * Compares two captures of one doc.
 *
 * @throws RangeError when a capture does not have the shape that the pair states.
 */
export function compareRouting(pair: RoutingDocPair): RoutingParity {
  checkShapes(pair);
  const { docId, nTokens, baseline, fused } = pair;
  const affected = new Uint8Array(nTokens);
  let firstDivergence: Divergence | null = null;
  let firstUnexplained: Divergence | null = null;
  let judgedUpTo = nTokens;
  const layers = pair.layers.map((layer, index) => {
    const { result, first, unexplained } = compareLayer(pair, index, judgedUpTo, affected);
    const at = (position: number): Divergence => ({ doc_id: docId, position, layer });
    if (first < nTokens) firstDivergence = earlier(firstDivergence, at(first));
    if (unexplained < nTokens) firstUnexplained = earlier(firstUnexplained, at(unexplained));
    judgedUpTo = Math.min(judgedUpTo, first);
    return { layer, ...result };
  });
  const tokensAffected = affected.reduce((sum, token) => sum + token, 0);
  const marginsKnown = baseline.margins !== undefined && fused.margins !== undefined;
  return { docs: 1, tokens: nTokens, tokensAffected, marginsKnown, layers, firstDivergence, firstUnexplained };
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
    marginsKnown: a.marginsKnown && b.marginsKnown,
    layers: a.layers.map((layer, index) => mergeLayer(layer, b.layers[index]!)),
    firstDivergence: earlier(a.firstDivergence, b.firstDivergence),
    firstUnexplained: earlier(a.firstUnexplained, b.firstUnexplained),
  };
}

interface ComparedLayer {
  readonly result: Omit<LayerParity, "layer">;
  /** The first position whose set differs, and the first that nothing explains; the number of tokens where there is none. */
  readonly first: number;
  readonly unexplained: number;
}

/** @param judgedUpTo - tokens from this position on are downstream of what an earlier layer did */
function compareLayer(pair: RoutingDocPair, index: number, judgedUpTo: number, affected: Uint8Array): ComparedLayer {
  const { nTokens, k, baseline, fused, nearTieMargin = NEAR_TIE_MARGIN } = pair;
  const weights = new DifferenceAccumulator();
  const counts = { tokensMismatched: 0, nearTies: 0, downstream: 0, unexplained: 0, idsMismatched: 0 };
  let tokensReordered = 0;
  let [first, unexplained] = [nTokens, nTokens];
  for (let token = 0; token < nTokens; token++) {
    const row = index * nTokens + token;
    const start = row * k;
    const swapped = swappedIds(baseline.ids, fused.ids, start, k);
    if (swapped > 0) {
      counts.tokensMismatched++;
      counts.idsMismatched += swapped;
      affected[token] = 1;
      first = Math.min(first, token);
      if (token >= judgedUpTo) counts.downstream++;
      else if (swapped === 1 && isNearTie(baseline, fused, row, nearTieMargin)) counts.nearTies++;
      else {
        counts.unexplained++;
        unexplained = Math.min(unexplained, token);
      }
      continue;
    }
    if (!sameOrder(baseline.ids, fused.ids, start, k)) tokensReordered++;
    if (token < judgedUpTo) addWeights(weights, baseline, fused, start, k);
  }
  const tokens = { tokens: nTokens, entries: nTokens * k, tokensNotJudged: nTokens - judgedUpTo, tokensReordered };
  return { result: { ...tokens, ...counts, weights: weights.result() }, first, unexplained };
}

function isNearTie(a: RoutingCapture, b: RoutingCapture, row: number, margin: number): boolean {
  // A NaN margin is no tie.
  return (a.margins?.[row] ?? Infinity) <= margin && (b.margins?.[row] ?? Infinity) <= margin;
}

function addWeights(
  differences: DifferenceAccumulator,
  a: RoutingCapture,
  b: RoutingCapture,
  start: number,
  k: number,
): void {
  if (a.weights === undefined || b.weights === undefined) return;
  for (let slot = start; slot < start + k; slot++) {
    const other = findId(b.ids, a.ids[slot]!, start, k);
    differences.add(a.weights[slot]!, b.weights[other]!);
  }
}

function mergeLayer(a: LayerParity, b: LayerParity): LayerParity {
  return {
    layer: a.layer,
    tokens: a.tokens + b.tokens,
    entries: a.entries + b.entries,
    tokensNotJudged: a.tokensNotJudged + b.tokensNotJudged,
    tokensReordered: a.tokensReordered + b.tokensReordered,
    tokensMismatched: a.tokensMismatched + b.tokensMismatched,
    nearTies: a.nearTies + b.nearTies,
    downstream: a.downstream + b.downstream,
    unexplained: a.unexplained + b.unexplained,
    idsMismatched: a.idsMismatched + b.idsMismatched,
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
  const rows = layers.length * nTokens;
  const check = (name: string, length: number | undefined, perRow: number, shape: string): void => {
    if (length === undefined || length === rows * perRow) return;
    throw new RangeError(`doc ${docId}: ${length} ${name}, not ${rows * perRow} (${shape})`);
  };
  for (const [name, { ids, weights, margins }] of Object.entries({ baseline, fused })) {
    const shape = `${layers.length} layers * ${nTokens} tokens`;
    check(`${name} ids`, ids.length, k, `${shape} * ${k} experts`);
    check(`${name} weights`, weights?.length, k, `${shape} * ${k} experts`);
    check(`${name} margins`, margins?.length, 1, shape);
  }
}
