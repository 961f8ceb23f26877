/** The engine against Hugging Face Transformers: logits, greedy tokens, experts and weights (see the fixtures' README). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpoint } from "../../engine/checkpoint.ts";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import { KvCache } from "../../engine/kv-cache.ts";
import { Model } from "../../engine/model.ts";
import type { RoutingObserver } from "../../engine/model.ts";
import { ROUTING } from "../../engine/routing/routing.ts";
import type { RoutingName } from "../../engine/routing/routing.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import { FIXTURES, MODEL_DIR } from "./model-dir.ts";

interface GoldenRow {
  readonly name: string;
  readonly text: string;
  readonly stop: string | null;
  readonly ids: readonly number[];
  readonly continuation_ids: readonly number[];
  /** The smallest gap between the best and the second best logit on the way. */
  readonly smallest_margin: number;
  /** Of the prompts with logits: the closest call of any router, and the token where it was made. */
  readonly router_margin?: number;
  readonly router_margin_position?: number;
}

const rows = readFileSync(new URL("completions.jsonl", FIXTURES), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line) as GoldenRow);
const fixture = (name: string): ReturnType<typeof openSafetensors> =>
  openSafetensors(fileURLToPath(new URL(name, FIXTURES)));

/** docs/design: float32 logits differ by less than this. */
const LOGIT_TOLERANCE = 1e-3;
const WEIGHT_TOLERANCE = 1e-5;

/**
 * Biased scores are below 1.2, where float32 steps are 1.2e-7: two experts closer than a few steps may be chosen either way by
 * two sound implementations, and the logits from that token on follow the choice.
 */
const NEAR_TIE = 5e-7;

describe.each(["reference", "fused"] as const)("routing by the %s chain", (routing: RoutingName) => {
  let engine: EmbeddedEngine;
  let model: Model;
  beforeAll(async () => {
    engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing });
    const checkpoint = openCheckpoint(MODEL_DIR);
    model = await Model.load(checkpoint, ROUTING[routing]);
    checkpoint.close();
  });
  afterAll(async () => {
    await engine.close();
    await model.close();
  });

  it("tokenizes every prompt to the same ids", () => {
    for (const row of rows) expect(engine.tokenizer.encode(row.text), row.name).toEqual(row.ids);
  });

  it("gives the same logits", async () => {
    const golden = fixture("logits.safetensors");
    const prompts = rows.filter(({ name }) => golden.tensors.has(`${name}.logits`));
    expect(prompts.length).toBeGreaterThanOrEqual(8);
    const { vocabSize, hiddenSize, contextLength } = model.config;
    let compared = 0;
    for (const { name, ids, router_margin = 0, router_margin_position = 0 } of prompts) {
      const sure = router_margin > NEAR_TIE ? ids.length : router_margin_position;
      const x = await model.extend(new KvCache(model.config, contextLength), ids);
      const expected = golden.readFloat32(`${name}.logits`);
      for (const [row, position] of golden.readInt32(`${name}.positions`).entries()) {
        if (position >= sure) continue;
        compared += 1;
        const logits = await model.logits(x.slice(position * hiddenSize, (position + 1) * hiddenSize));
        expect(largestDifference(logits, expected.subarray(row * vocabSize, (row + 1) * vocabSize)), name).toBeLessThan(
          LOGIT_TOLERANCE,
        );
      }
    }
    // Five positions of each of eight prompts, without those after a near-tie.
    expect(compared).toBeGreaterThanOrEqual(36);
    golden.close();
  });

  it("continues 100 prompts with the same greedy tokens", async () => {
    expect(rows.length).toBe(100);
    const completions = await Promise.all(
      rows.map((row) =>
        engine.complete({
          prompt: row.ids,
          maxTokens: 160,
          stop: row.stop === null ? [] : [row.stop],
          temperature: 0,
          seed: row.name,
          logprobs: false,
        }),
      ),
    );
    for (const [index, { tokenIds }] of completions.entries()) {
      const row = rows[index] as GoldenRow;
      expect(tokenIds, `${row.name} (smallest margin ${row.smallest_margin})`).toEqual(row.continuation_ids);
    }
  });

  it("sends every token to the same experts with the same weights", async () => {
    const golden = fixture("routing.safetensors");
    const prompts = rows.filter(({ name }) => golden.tensors.has(`${name}.layers.1.topk_ids`));
    expect(prompts.length).toBeGreaterThanOrEqual(4);
    const { nExpertsAct: K } = model.config.moe;
    let ids = 0;
    for (const { name, ids: tokens } of prompts) {
      const observe: RoutingObserver = (layer, input) => {
        const expectedIds = golden.readInt32(`${name}.layers.${layer}.topk_ids`);
        const expectedWeights = golden.readFloat32(`${name}.layers.${layer}.topk_weights`);
        for (let token = 0; token < tokens.length; token++) {
          const row = [...input.topkIds.subarray(token * K, (token + 1) * K)];
          const order = row.map((_, slot) => slot).toSorted((a, b) => (row[a] as number) - (row[b] as number));
          const sorted = order.map((slot) => row[slot]);
          const weights = Float32Array.from(order, (slot) => input.topkWeights[token * K + slot] as number);
          // One assertion a token would take longer than the forward pass.
          if (sorted.some((id, k) => id !== expectedIds[token * K + k])) {
            expect(sorted, `${name}, layer ${layer}, token ${token}`).toEqual([
              ...expectedIds.subarray(token * K, (token + 1) * K),
            ]);
          }
          const difference = largestDifference(weights, expectedWeights.subarray(token * K, (token + 1) * K));
          if (difference > WEIGHT_TOLERANCE) expect(difference, `${name}, layer ${layer}, token ${token}`).toBe(0);
          ids += K;
        }
      };
      await model.extend(new KvCache(model.config, tokens.length), tokens, { routing: observe });
    }
    expect(ids).toBeGreaterThan(10_000);
    golden.close();
  });
});

function largestDifference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    // NaN must not pass for 0.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
