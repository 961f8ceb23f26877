/** The MoE layer believes the routing data: right data gives the dense sum, wrong data gives another result. */
import { describe, expect, it } from "vitest";
import { combineRows, gatherRows } from "../../engine/moe-layer.ts";
import { ROUTING } from "../../engine/routing/routing.ts";
import type { RoutingData } from "../../engine/routing/routing-data.ts";

const [N, K, E, H] = [5, 2, 4, 3];
const topkIds = Int32Array.of(3, 0, 1, 2, 2, 3, 0, 1, 3, 1);
const topkWeights = Float32Array.of(0.5, 0.25, 1, 2, 0.125, 4, 1, 1, 0.5, 8);
const hidden = Float32Array.from({ length: N * H }, (_, i) => i + 1);
const input = { topkIds, topkWeights, nTokens: N, nExpertsAct: K, nExpertsTot: E };

/** Experts that multiply by 10^expert: exact in float32, so sums can be compared exactly. */
function runExperts(rows: Float32Array, hist: Int32Array): Float32Array {
  const out = new Float32Array(rows.length);
  let j = 0;
  for (const [expert, count] of hist.entries()) {
    for (let i = 0; i < count * H; i++, j++) out[j] = (rows[j] as number) * 10 ** expert;
  }
  return out;
}

function layer(routing: RoutingData): number[] {
  const base = new Float32Array(N * H).fill(1);
  combineRows(runExperts(gatherRows(hidden, routing, K, H), routing.hist), routing, K, H, base);
  return [...base];
}

const expected = Array.from({ length: N * H }, (_, i) => {
  const token = Math.floor(i / H);
  let sum = 0;
  for (let k = 0; k < K; k++) {
    sum += (topkWeights[token * K + k] as number) * 10 ** (topkIds[token * K + k] as number) * (hidden[i] as number);
  }
  return 1 + sum;
});

describe("an MoE layer", () => {
  it.each(["reference", "fused"] as const)("adds every token's weighted experts (%s)", (name) => {
    expect(layer(ROUTING[name](input))).toEqual(expected);
  });

  it("gives wrong answers from wrong routing data", () => {
    const sound = ROUTING.fused(input);
    const swap = <A extends Int32Array | Float32Array>(array: A, a: number, b: number): A => {
      const copy = array.slice() as A;
      [copy[a], copy[b]] = [copy[b] as number, copy[a] as number];
      return copy;
    };
    const last = N * K - 1;
    expect(layer({ ...sound, gateScal: swap(sound.gateScal, 0, last) })).not.toEqual(expected);
    expect(layer({ ...sound, gateIndx: swap(sound.gateIndx, 0, last) })).not.toEqual(expected);
    expect(layer({ ...sound, topkIndx: swap(sound.topkIndx, 0, last) })).not.toEqual(expected);
    expect(layer({ ...sound, hist: Int32Array.of(3, 2, 2, 3) })).not.toEqual(expected);
  });
});
