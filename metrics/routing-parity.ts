/**
 * Routing parity: did every token use the same experts, with the same weights, in every MoE layer?
 *
 * Two engines that sum in another order differ in last bits, and where a router's choice is closer than that, either
 * expert is right. Once a token went to another expert, what follows from it differs for real. So each difference is given
 * a cause, and only what no cause explains speaks against the engine:
 *
 * - *downstream*: an earlier layer sent this token, or one before it, to other experts. A layer's router sees what the
 *   layers before it made of this token and, through attention, of the tokens before it: nothing else.
 * - *near-tie*: both routers' margins are within rounding, and so is every score that would have to differ for the one's
 *   choice to become the other's (`near-tie.ts`); where the scores are not known, a single expert is swapped.
 * - *unexplained*: all else.
 *
 * Results are plain JSON and merge, so that a run that was stopped continues from what it had. Counts do not depend on the
 * order of merging; a sum of weight differences does in its last bits, so merge in doc order where files must be equal.
 */
import { RoutingComparison } from "./routing-comparison.ts";
import type { LayerRows } from "./layer-tally.ts";
import type { CloseScores } from "./near-tie.ts";
import type { RoutingObserver } from "./routing-picture.ts";
import type { RoutingParity } from "./routing-result.ts";

export { mergeRouting, NO_ROUTING, tiesOf } from "./routing-result.ts";
export type { Divergence, RoutingParity } from "./routing-result.ts";

/** What the routers of one variant chose for the tokens of one doc. */
export interface RoutingCapture {
  /** Expert ids, [layers * tokens * k], layer-major; their order inside a token is free. */
  readonly ids: ArrayLike<number>;
  /** The weight of each id, same shape; left out when the engine does not give them. */
  readonly weights?: ArrayLike<number> | undefined;
  /** [layers * tokens] how far the worst expert chosen scored above the best one left out; left out when not known. */
  readonly margins?: ArrayLike<number> | undefined;
  /** The scores behind those margins that are small, by layer (index) and token. */
  readonly close?: ((index: number) => CloseScores) | undefined;
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
  /** Weights of one expert that differ by more are told to the observer. Default: none is. */
  readonly weightTolerance?: number;
  readonly observer?: RoutingObserver;
}

/**
 * Of scores between 0 and 1 in float32: some hundred times the spacing of the numbers, as far as two orders of summing a
 * few hundred terms move a score, and as much as the embedded engine may differ from Transformers.
 */
export const NEAR_TIE_MARGIN = 1e-5;

/**
 * Compares two captures of one doc.
 *
 * @throws RangeError when a capture does not have the shape that the pair states.
 */
export function compareRouting(pair: RoutingDocPair): RoutingParity {
  checkShapes(pair);
  const { docId, layers, nTokens, k, baseline, fused, nearTieMargin = NEAR_TIE_MARGIN, observer } = pair;
  const { weightTolerance = Infinity } = pair;
  const marginsKnown = baseline.margins !== undefined && fused.margins !== undefined;
  const comparison = new RoutingComparison({ layers, k, marginsKnown, nearTieMargin, weightTolerance, observer });
  comparison.beginBlock([{ docId, start: 0, end: nTokens, position: 0, begins: true }]);
  for (let index = 0; index < layers.length; index++) {
    comparison.compareLayer(index, layerOf(baseline, index, pair), layerOf(fused, index, pair));
  }
  comparison.endBlock();
  return comparison.parity();
}

function layerOf(
  { ids, weights, margins, close }: RoutingCapture,
  index: number,
  { nTokens, k }: RoutingDocPair,
): LayerRows {
  const cut = (values: ArrayLike<number>, perRow: number): ArrayLike<number> =>
    stretch(values, index * nTokens * perRow, (index + 1) * nTokens * perRow);
  return {
    ids: cut(ids, k),
    ...(weights !== undefined && { weights: cut(weights, k) }),
    ...(margins !== undefined && { margins: cut(margins, 1) }),
    ...(close !== undefined && { close: close(index) }),
  };
}

/** Without a copy where it can be had so. */
function stretch(values: ArrayLike<number>, begin: number, end: number): ArrayLike<number> {
  if (values instanceof Float32Array || values instanceof Int32Array || values instanceof Uint16Array) {
    return values.subarray(begin, end);
  }
  return Array.prototype.slice.call(values, begin, end);
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
