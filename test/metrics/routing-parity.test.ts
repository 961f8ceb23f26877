import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareLogprobs, mergeLogprobs, NO_LOGPROBS } from "../../metrics/logprob-difference.ts";
import {
  compareRouting,
  mergeRouting,
  NO_ROUTING,
  type RoutingDocPair,
  type RoutingParity,
} from "../../metrics/routing-parity.ts";

/** Two MoE layers (1 and 2), three tokens, two experts each. */
const base = {
  docId: 7,
  layers: [1, 2],
  nTokens: 3,
  k: 2,
  baseline: { ids: [0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5], weights: new Float32Array(12).fill(0.5) },
} as const;

function pairWith(ids: readonly number[], weights?: readonly number[]): RoutingDocPair {
  return { ...base, fused: { ids, weights: Float32Array.from(weights ?? new Float32Array(12).fill(0.5)) } };
}

describe("compareRouting", () => {
  test("equal captures: nothing differs", () => {
    const parity = compareRouting(pairWith(base.baseline.ids));
    expect(parity).toMatchObject({ docs: 1, tokens: 3, tokensAffected: 0, firstDivergence: null });
    expect(parity.layers[1]).toEqual({
      layer: 2,
      tokens: 3,
      entries: 6,
      tokensMismatched: 0,
      nearTies: 0,
      downstream: 0,
      unexplained: 0,
      idsMismatched: 0,
      tokensReordered: 0,
      tokensNotJudged: 0,
      ties: { both: 0, onlyBaseline: 0, onlyFused: 0 },
      weights: { count: 6, sum: 0, max: 0, notFinite: 0 },
    });
  });

  test("another order inside a token is allowed, and weights follow their ids", () => {
    const parity = compareRouting({
      ...pairWith([1, 0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]),
      baseline: { ids: base.baseline.ids, weights: [0.75, 0.25, ...Array.from({ length: 10 }, () => 0.5)] },
      fused: {
        ids: [1, 0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5],
        weights: [0.25, 0.625, ...Array.from({ length: 10 }, () => 0.5)],
      },
    });
    expect(parity).toMatchObject({ tokensAffected: 0, firstDivergence: null });
    expect(parity.layers[0]).toMatchObject({
      tokensReordered: 1,
      idsMismatched: 0,
      weights: { count: 6, sum: 0.125, max: 0.125, notFinite: 0 },
    });
  });

  test("a swapped expert is one id, one token, and the first divergence is the earliest position", () => {
    // Layer 1 differs at token 2 (one id); layer 2 at token 1 (both ids) and token 2 (one id), downstream of layer 1.
    const parity = compareRouting(pairWith([0, 1, 2, 3, 4, 9, 0, 1, 8, 9, 9, 5]));
    expect(parity).toMatchObject({ tokensAffected: 2, firstDivergence: { doc_id: 7, position: 1, layer: 2 } });
    expect(parity.layers.map((layer) => [layer.tokensMismatched, layer.idsMismatched, layer.weights.count])).toEqual([
      [1, 1, 4],
      [2, 3, 2],
    ]);
  });

  /** Layer 1 swaps an expert of token 1, layer 2 of tokens 0 and 2. */
  const swaps = [0, 1, 2, 9, 4, 5, 9, 1, 2, 3, 4, 9];
  const causes = (pair: RoutingDocPair): number[][] =>
    compareRouting(pair).layers.map(({ nearTies, downstream, unexplained, tokensNotJudged }) => [
      nearTies,
      downstream,
      unexplained,
      tokensNotJudged,
    ]);
  const margins = (...values: number[]): Float32Array => Float32Array.from(values);
  const withMargins = (ofBaseline: Float32Array, ofFused: Float32Array): RoutingDocPair => ({
    ...pairWith(swaps),
    baseline: { ...base.baseline, margins: ofBaseline },
    fused: { ids: swaps, weights: base.baseline.weights, margins: ofFused },
  });

  test("what an earlier layer changed is downstream from its token on, and not before", () => {
    const close = margins(1, 0, 1, 1, 1, 1);
    expect(causes(withMargins(close, close))).toEqual([
      [1, 0, 0, 0],
      // Token 0 stands before the divergence, so nothing explains it.
      [0, 1, 1, 2],
    ]);
    expect(compareRouting(withMargins(close, close)).firstUnexplained).toEqual({ doc_id: 7, position: 0, layer: 2 });
  });

  test("a near-tie is one by the margins of both, up to the limit", () => {
    const at = Math.fround(1e-5);
    const limit = (ofBaseline: number, ofFused: number): number | undefined => {
      const pair = withMargins(margins(1, ofBaseline, 1, 1, 1, 1), margins(1, ofFused, 1, 1, 1, 1));
      return causes({ ...pair, nearTieMargin: at })[0]?.[0];
    };
    expect([limit(at, at), limit(at, 2e-5), limit(2e-5, at), limit(Number.NaN, 0)]).toEqual([1, 0, 0, 0]);
  });

  test("two experts swapped at once are no near-tie, and without margins nothing is", () => {
    const both = [0, 1, 8, 9, 4, 5, 0, 1, 2, 3, 4, 5];
    const zero = new Float32Array(6);
    const pair = {
      ...pairWith(both),
      baseline: { ...base.baseline, margins: zero },
      fused: { ids: both, margins: zero },
    };
    expect(causes(pair)[0]).toEqual([0, 0, 1, 0]);
    expect(causes(pairWith(swaps))[0]).toEqual([0, 0, 1, 0]);
    expect([compareRouting(pair).marginsKnown, compareRouting(pairWith(swaps)).marginsKnown]).toEqual([true, false]);
  });

  test("weights downstream of a divergence are not judged", () => {
    const weights = Array.from({ length: 12 }, () => 0.5);
    weights[8] = 0.75;
    const parity = compareRouting(pairWith([0, 1, 2, 9, 4, 5, 0, 1, 2, 3, 4, 5], weights));
    expect(parity.layers.map((layer) => [layer.weights.count, layer.weights.max])).toEqual([
      [4, 0],
      [2, 0],
    ]);
  });

  test("an expert that was chosen twice does not hide the one that it pushed out", () => {
    const parity = compareRouting(pairWith([0, 0, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]));
    expect(parity.layers[0]).toMatchObject({ tokensMismatched: 1, idsMismatched: 1 });
  });

  test("weights that are NaN on one side are counted, not averaged", () => {
    const weights = Array.from({ length: 12 }, (_, index) => (index === 0 ? Number.NaN : 0.5));
    const parity = compareRouting(pairWith(base.baseline.ids, weights));
    expect(parity.layers[0]!.weights).toEqual({ count: 5, sum: 0, max: 0, notFinite: 1 });
    expect(JSON.parse(JSON.stringify(parity))).toEqual(parity);
  });

  test("without weights ids are still judged", () => {
    const parity = compareRouting({ ...base, baseline: { ids: base.baseline.ids }, fused: { ids: base.baseline.ids } });
    expect(parity.layers[0]!.weights.count).toBe(0);
  });

  test("a capture of another shape is an error that says which", () => {
    expect(() => compareRouting(pairWith([0, 1]))).toThrow(
      "doc 7: 2 fused ids, not 12 (2 layers * 3 tokens * 2 experts)",
    );
    expect(() => compareRouting({ ...pairWith(base.baseline.ids), k: 0 })).toThrow("k is 0");
    const short = { ...base.baseline, margins: new Float32Array(5) };
    expect(() => compareRouting({ ...pairWith(base.baseline.ids), baseline: short })).toThrow(
      "doc 7: 5 baseline margins, not 6 (2 layers * 3 tokens)",
    );
  });
});

const parityOf = ({ docId, ids, fusedIds }: { docId: number; ids: number[]; fusedIds: number[] }): RoutingParity =>
  compareRouting({ ...base, docId, baseline: { ids }, fused: { ids: fusedIds } });

describe("mergeRouting", () => {
  const doc = fc.record({
    docId: fc.nat(50),
    ids: fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
    fusedIds: fc.array(fc.nat(3), { minLength: 12, maxLength: 12 }),
  });

  test("any grouping and order of docs gives the same result, also through JSON", () => {
    fc.assert(
      fc.property(fc.array(doc, { minLength: 1, maxLength: 8 }), fc.nat(8), (docs, cut) => {
        const parts = docs.map(parityOf);
        const whole = parts.reduce(mergeRouting, NO_ROUTING);
        const stored = JSON.parse(
          JSON.stringify(parts.slice(0, cut).reduce(mergeRouting, NO_ROUTING)),
        ) as RoutingParity;
        expect(parts.slice(cut).reduce(mergeRouting, stored)).toEqual(whole);
        expect(parts.toReversed().reduce(mergeRouting, NO_ROUTING)).toEqual(whole);
        expect(whole.tokens).toBe(3 * docs.length);
      }),
    );
  });

  test("models with other MoE layers do not merge", () => {
    const one = compareRouting(pairWith(base.baseline.ids));
    const other = compareRouting({ ...pairWith(base.baseline.ids), layers: [1, 3] });
    expect(() => mergeRouting(one, other)).toThrow("MoE layers 1, 2 cannot be merged with MoE layers 1, 3");
  });
});

describe("compareLogprobs", () => {
  test("largest and summed absolute difference, equal infinities being no difference", () => {
    const one = compareLogprobs(0, [-1, -2, -Infinity, -3], [-1.5, -2, -Infinity, -Infinity]);
    expect(one).toEqual({ docs: 1, count: 3, sum: 0.5, max: 0.5, notFinite: 1 });
    const both = mergeLogprobs(mergeLogprobs(NO_LOGPROBS, one), compareLogprobs(1, [-1], [-2]));
    expect(both).toEqual({ docs: 2, count: 4, sum: 1.5, max: 1, notFinite: 1 });
  });

  test("other lengths are not the same tokens", () => {
    expect(() => compareLogprobs(3, [-1], [])).toThrow("doc 3: 1 baseline log-probabilities but 0 fused");
  });
});
