import { describe, expect, it } from "vitest";
import { decisiveSettings, resolveSettings } from "../../comparison/settings.ts";
import type { EvaluateSettings } from "../../comparison/settings.ts";
import { getTask } from "../../tasks/index.ts";
import type { TaskData } from "../../tasks/index.ts";

const synth = getTask("gsm_synth");
const generated = await synth.load({});
const engine = {
  name: "embedded",
  model: "abacus-8m",
  weights_sha256: "a",
  config_sha256: "b",
  tokenizer_sha256: "c",
  dtype: "float32",
} as const;

/** A task's data as it is when it came from files. */
function fromFiles(total: number): TaskData {
  return { ...generated, total, provenance: { source: "given", published: false, files: [] } };
}

function decisive(asked: EvaluateSettings): object {
  return decisiveSettings(synth, [], resolveSettings(synth, generated, asked), engine);
}

describe("resolveSettings", () => {
  it("asks the whole task of one variant, greedily, unless asked otherwise", () => {
    expect(resolveSettings(synth, generated, { fused: false })).toMatchObject({
      variants: ["baseline"],
      docs: generated.total,
      limit: null,
      numFewshot: 3,
      seed: 1234,
      chat: false,
      maxTokens: 256,
      temperature: 0,
      stop: ["Question:", "</s>", "<|im_end|>"],
      parityDocs: 0,
    });
  });

  it("takes 0 for what it is", () => {
    const zeros = { numFewshot: 0, seed: 0, temperature: 0 };
    expect(resolveSettings(synth, generated, { fused: true, ...zeros })).toMatchObject(zeros);
  });

  it("asks no more docs than files hold, but as many generated ones as wanted", () => {
    expect(resolveSettings(synth, fromFiles(8), { fused: true, limit: 50 })).toMatchObject({
      docs: 8,
      limit: 50,
      parityDocs: 8,
    });
    expect(resolveSettings(synth, generated, { fused: true, limit: 100_000 })).toMatchObject({
      docs: 100_000,
      parityDocs: 32,
    });
  });
});

describe("decisiveSettings", () => {
  it.each<[string, EvaluateSettings]>([
    ["fused", { fused: true }],
    ["limit", { fused: false, limit: 9 }],
    ["shots", { fused: false, numFewshot: 2 }],
    ["seed", { fused: false, seed: 2 }],
    ["chat", { fused: false, chat: true }],
    ["max tokens", { fused: false, maxTokens: 2 }],
    ["temperature", { fused: false, temperature: 0.5 }],
  ])("tell runs apart by %s", (_name, asked) => {
    expect(decisive(asked)).not.toEqual(decisive({ fused: false }));
  });

  it("do not tell runs apart by what no result depends on", () => {
    expect(decisive({ fused: false, concurrency: 1 })).toEqual(decisive({ fused: false, concurrency: 32 }));
  });

  it("tell apart models of the same weights", () => {
    const settings = resolveSettings(synth, generated, { fused: false });
    const other = { ...engine, config_sha256: "other" };
    expect(decisiveSettings(synth, [], settings, other)).not.toEqual(decisiveSettings(synth, [], settings, engine));
  });
});
