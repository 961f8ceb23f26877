/** The MoE layer believes the routing data: right data gives the dense sum, wrong data gives another result. */
import ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import type { Checkpoint } from "../../engine/checkpoint.ts";
import { parseModelConfig } from "../../engine/config.ts";
import type { ModelConfig } from "../../engine/config.ts";
import { expertsGraph } from "../../engine/graphs.ts";
import { routingFeeds } from "../../engine/routing-feeds.ts";
import type { RoutingData } from "../../engine/routing/routing-data.ts";
import { ROUTING } from "../../engine/routing/routing.ts";

const [N, K, E, H] = [5, 2, 4, 3];
const topkIds = Int32Array.of(3, 0, 1, 2, 2, 3, 0, 1, 3, 1);
const topkWeights = Float32Array.of(0.5, 0.25, 1, 2, 0.125, 4, 1, 1, 0.5, 8);
const input = { topkIds, topkWeights, nTokens: N, nExpertsAct: K, nExpertsTot: E };
const BASE = 1;

function modelConfig(nExpertsAct: number): ModelConfig {
  const fields = {
    model_type: "glm4_moe",
    hidden_act: "silu",
    vocab_size: 8,
    hidden_size: H,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    num_key_value_heads: 1,
    head_dim: 4,
    intermediate_size: 2,
    max_position_embeddings: 8,
    n_routed_experts: E,
    num_experts_per_tok: nExpertsAct,
    moe_intermediate_size: 1,
    n_group: 1,
    topk_group: 1,
  };
  return parseModelConfig(JSON.stringify(fields), "config.json");
}

/** Expert e gates and multiplies with the first hidden value and gives 4^e times that, in every dimension. */
function checkpoint(nExpertsAct: number): Checkpoint {
  return {
    config: modelConfig(nExpertsAct),
    tensor(name, shape) {
      const expert = Number(/experts\.(\d+)\./.exec(name)?.[1]);
      const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
      return name.includes("down_proj") ? values.fill(4 ** expert) : values.fill(1, 0, 1);
    },
    checkAllUsed() {},
    close() {},
  };
}
/** Distinct first values, so that a row taken from another token shows. */
const hidden = Float32Array.from({ length: N * H }, (_, i) => (i % H === 0 ? 1 + i / H : 0.5));
const activated = (token: number): number => {
  const x = hidden[token * H] as number;
  return (x / (1 + Math.exp(-x))) * x;
};

async function layer(routing: RoutingData, nExpertsAct = K, base = BASE): Promise<Float32Array> {
  const rows = routing.topkIndx.length / nExpertsAct;
  const experts = await ort.InferenceSession.create(expertsGraph(checkpoint(nExpertsAct), 0));
  const { y } = await experts.run({
    hidden: new ort.Tensor("float32", hidden.subarray(0, rows * H), [rows, H]),
    base: new ort.Tensor("float32", new Float32Array(rows * H).fill(base), [rows, H]),
    ...routingFeeds(routing),
  });
  await experts.release();
  return (y as ort.Tensor).data as Float32Array;
}

const expected = Array.from({ length: N * H }, (_, i) => {
  const token = Math.floor(i / H);
  let sum = 0;
  for (let k = 0; k < K; k++) sum += (topkWeights[token * K + k] as number) * 4 ** (topkIds[token * K + k] as number);
  return BASE + sum * activated(token);
});

function largestRelativeError(actual: Float32Array): number {
  return Math.max(...expected.map((value, i) => Math.abs((actual[i] as number) / value - 1)));
}

describe("an MoE layer", () => {
  it.each(["reference", "fused"] as const)("adds every token's weighted experts (%s)", async (name) => {
    expect(largestRelativeError(await layer(ROUTING[name](input)))).toBeLessThan(1e-6);
  });

  it("gives wrong answers from wrong routing data", async () => {
    const sound = ROUTING.fused(input);
    const swap = <A extends Int32Array | Float32Array>(array: A, a: number, b: number): A => {
      const copy = array.slice() as A;
      [copy[a], copy[b]] = [copy[b] as number, copy[a] as number];
      return copy;
    };
    const last = N * K - 1;
    const wrong: RoutingData[] = [
      { ...sound, gateScal: swap(sound.gateScal, 0, last) },
      { ...sound, gateIndx: swap(sound.gateIndx, 0, last) },
      { ...sound, topkIndx: swap(sound.topkIndx, 0, last) },
      { ...sound, hist: Int32Array.of(3, 2, 2, 3) },
    ];
    for (const data of wrong) expect(largestRelativeError(await layer(data))).toBeGreaterThan(0.01);
  });

  it("adds a token's results by ascending expert for the reference chain, in selection order for the fused one", async () => {
    // Beside 2^26 a 1 is lost in float32, so only what is added last survives.
    const [large, small] = [2 ** 26, 1];
    const ids = Int32Array.of(2, 0, 1);
    const weights = Float32Array.of(large / 4 ** 2, -large, small / 4);
    const token = { topkIds: ids, topkWeights: weights, nTokens: 1, nExpertsAct: 3, nExpertsTot: E };
    expect([...(await layer(ROUTING.reference(token), 3, 0))]).toEqual([0, 0, 0]);
    const fused = await layer(ROUTING.fused(token), 3, 0);
    for (const value of fused) expect(value).toBeCloseTo(activated(0), 6);
  });
});
