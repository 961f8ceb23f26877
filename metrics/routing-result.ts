/** What a comparison of routing comes to: plain JSON that merges. */
import { mergeDifferences, type DifferenceSum } from "./difference.ts";
import { mergeTies, NO_TIES, type TieCounts } from "./tie-excess.ts";

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
  /** Of the tokens that are judged, those whose margins are within the tolerance of a near-tie. */
  readonly ties: TieCounts;
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
    ties: mergeTies(a.ties, b.ties),
    weights: mergeDifferences(a.weights, b.weights),
  };
}

/** All layers together. */
export function tiesOf({ layers }: RoutingParity): TieCounts {
  return layers.map(({ ties }) => ties).reduce(mergeTies, NO_TIES);
}

/** Below zero where `a` comes first, above zero where `b` does. */
export function placeOrder(a: Divergence, b: Divergence): number {
  return a.doc_id - b.doc_id || a.position - b.position || a.layer - b.layer;
}

export function earlier(a: Divergence | null, b: Divergence | null): Divergence | null {
  if (a === null || b === null) return a ?? b;
  return placeOrder(a, b) <= 0 ? a : b;
}
