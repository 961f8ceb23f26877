import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { UserError } from "../../../errors.ts";
import { moeLayout, readMoeLayout } from "../../../runners/routed-experts/index.ts";

function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => from + i * step);
}

/** The fields of published `config.json` files that say which layers have experts. */
const FAMILIES: readonly [string, object, { layers: number; moe: number[]; experts: number; perToken: number }][] = [
  [
    "GLM-4.5-Air (Glm4Moe)",
    {
      model_type: "glm4_moe",
      num_hidden_layers: 46,
      first_k_dense_replace: 1,
      n_routed_experts: 128,
      num_experts_per_tok: 8,
      num_nextn_predict_layers: 1,
    },
    { layers: 46, moe: range(1, 46), experts: 128, perToken: 8 },
  ],
  [
    "DeepSeek-V3",
    {
      model_type: "deepseek_v3",
      num_hidden_layers: 61,
      first_k_dense_replace: 3,
      moe_layer_freq: 1,
      n_routed_experts: 256,
      num_experts_per_tok: 8,
    },
    { layers: 61, moe: range(3, 61), experts: 256, perToken: 8 },
  ],
  [
    "DeepSeek, every second layer",
    {
      num_hidden_layers: 8,
      first_k_dense_replace: 1,
      moe_layer_freq: 2,
      n_routed_experts: 64,
      num_experts_per_tok: 6,
    },
    { layers: 8, moe: [2, 4, 6], experts: 64, perToken: 6 },
  ],
  [
    "Qwen3-30B-A3B",
    {
      model_type: "qwen3_moe",
      num_hidden_layers: 48,
      decoder_sparse_step: 1,
      mlp_only_layers: [],
      num_experts: 128,
      num_experts_per_tok: 8,
    },
    { layers: 48, moe: range(0, 48), experts: 128, perToken: 8 },
  ],
  [
    "Qwen2-MoE with exceptions",
    { num_hidden_layers: 8, decoder_sparse_step: 2, mlp_only_layers: [3], num_experts: 60, num_experts_per_tok: 4 },
    { layers: 8, moe: [1, 5, 7], experts: 60, perToken: 4 },
  ],
  [
    "Mixtral-8x7B",
    { model_type: "mixtral", num_hidden_layers: 32, num_local_experts: 8, num_experts_per_tok: 2 },
    { layers: 32, moe: range(0, 32), experts: 8, perToken: 2 },
  ],
  [
    "gpt-oss-120b",
    { num_hidden_layers: 36, num_local_experts: 128, num_experts_per_tok: 4, experts_per_token: 4 },
    { layers: 36, moe: range(0, 36), experts: 128, perToken: 4 },
  ],
  [
    "Llama 4 Maverick",
    {
      model_type: "llama4",
      text_config: {
        num_hidden_layers: 48,
        interleave_moe_layer_step: 2,
        moe_layers: range(1, 48, 2),
        num_local_experts: 128,
        num_experts_per_tok: 1,
      },
    },
    { layers: 48, moe: range(1, 48, 2), experts: 128, perToken: 1 },
  ],
  [
    "MiMo-V2-Flash: a list for each layer",
    {
      num_hidden_layers: 4,
      moe_layer_freq: [0, 1, 1, 1],
      n_routed_experts: 256,
      num_experts_per_tok: 8,
    },
    { layers: 4, moe: [1, 2, 3], experts: 256, perToken: 8 },
  ],
  [
    "Transformers 5: a word for each layer",
    {
      num_hidden_layers: 3,
      mlp_layer_types: ["dense", "sparse", "sparse"],
      n_routed_experts: 64,
      num_experts_per_tok: 4,
    },
    { layers: 3, moe: [1, 2], experts: 64, perToken: 4 },
  ],
  [
    "Jamba",
    {
      num_hidden_layers: 8,
      expert_layer_period: 2,
      expert_layer_offset: 1,
      num_experts: 16,
      num_experts_per_tok: 2,
    },
    { layers: 8, moe: [1, 3, 5, 7], experts: 16, perToken: 2 },
  ],
  [
    "Ernie 4.5",
    {
      num_hidden_layers: 6,
      moe_layer_start_index: 1,
      moe_layer_end_index: -1,
      moe_layer_interval: 1,
      moe_num_experts: 64,
      moe_k: 6,
    },
    { layers: 6, moe: [1, 2, 3, 4, 5], experts: 64, perToken: 6 },
  ],
];

it.each(FAMILIES)("%s", (_, config, { layers, moe, experts, perToken }) => {
  expect(moeLayout(config, "config.json")).toEqual({
    nLayers: layers,
    moeLayers: moe,
    nExpertsTot: experts,
    nExpertsAct: perToken,
  });
});

describe("what is refused, with the file and the field", () => {
  const good = { num_hidden_layers: 4, num_experts: 8, num_experts_per_tok: 2 };

  it.each<[string, unknown, string]>([
    ["a dense model", { num_hidden_layers: 4 }, "is this a mixture-of-experts model?"],
    ["no object", [1], "is this a mixture-of-experts model?"],
    ["null", null, "is this a mixture-of-experts model?"],
    ["more experts per token than there are", { ...good, num_experts_per_tok: 9 }, "there are only 8"],
    ["absurd layers", { ...good, num_hidden_layers: 1e9 }, "num_hidden_layers must be a whole number from 1 to 4096"],
    ["absurd experts", { ...good, num_experts: 70_000 }, "num_experts must be a whole number from 1 to 65535"],
    ["half an expert", { ...good, num_experts: 8.5 }, "found 8.5"],
    ["a step of 0", { ...good, decoder_sparse_step: 0 }, "decoder_sparse_step must be a whole number of at least 1"],
    ["a list that is none", { ...good, mlp_only_layers: "0,1" }, "mlp_only_layers must be a list of layer numbers"],
    [
      "a list that is too short",
      { ...good, moe_layer_freq: [0, 1] },
      "moe_layer_freq must be a list with an entry for",
    ],
    ["dense throughout", { ...good, first_k_dense_replace: 4 }, "every layer is dense"],
  ])("%s", (_, config, says) => {
    const act = (): unknown => moeLayout(config, "m/config.json");
    expect(act).toThrow(UserError);
    expect(act).toThrow("m/config.json: ");
    expect(act).toThrow(says);
  });

  it("a config nested without end", () => {
    let config: object = good;
    for (let depth = 0; depth < 50_000; depth++) config = { text_config: config };
    expect(() => moeLayout(config, "config.json")).toThrow("is this a mixture-of-experts model?");
  });
});

describe("readMoeLayout", () => {
  const model = fileURLToPath(new URL("../../../models/abacus-8m/", import.meta.url));

  it("reads the model's folder, or the file itself", () => {
    const layout = { nLayers: 6, moeLayers: [1, 2, 3, 4, 5], nExpertsTot: 16, nExpertsAct: 4 };
    expect(readMoeLayout(model)).toEqual(layout);
    expect(readMoeLayout(join(model, "config.json"))).toEqual(layout);
  });

  it("says what is wrong with a file", () => {
    const folder = mkdtempSync(join(tmpdir(), "fusecheck-layout-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    expect(() => readMoeLayout(join(folder, "none.json"))).toThrow("no such file; give the model's config.json");
    writeFileSync(join(folder, "config.json"), "<html>");
    expect(() => readMoeLayout(folder)).toThrow("config.json is not JSON");
    expect(() => readMoeLayout(folder)).toThrow(UserError);
  });
});
