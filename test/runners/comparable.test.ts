import { describe, expect, it } from "vitest";
import { comparable } from "../../runners/comparable.ts";
import type { VariantFacts } from "../../runners/comparable.ts";
import { resolveVariants } from "../../runners/config/index.ts";
import { ENGINES } from "../../runners/engines/index.ts";

const SAME: VariantFacts = {
  model: "org/m",
  maxModelLen: 4096,
  dialect: "vllm",
  api: "completions",
  maxTokens: 256,
  promptsHash: "a",
  facts: { version: "0.22.0", enable_prefix_caching: "False", cache_dtype: "auto" },
};
const preset = ENGINES.vllm;

describe("two variants", () => {
  it("that are the same but for the switch may be compared", () => {
    expect(comparable(SAME, SAME, { preset })).toEqual([]);
  });

  it.each<[Partial<VariantFacts>, string]>([
    [{ model: "org/n" }, "the model differs: org/m in baseline, org/n in fused"],
    [{ maxModelLen: 2048 }, "the longest context differs: 4096 in baseline, 2048 in fused"],
    [{ dialect: "sglang" }, "the dialect differs: vllm in baseline, sglang in fused"],
    [{ api: "chat" }, "the API differs: completions in baseline, chat in fused"],
    [{ maxTokens: 512 }, "max_tokens differs: 256 in baseline, 512 in fused"],
    [{ promptsHash: "b" }, "the hash of the prompts differs: a in baseline, b in fused"],
    [{ facts: { enable_prefix_caching: "True" } }, "prefix caching differs: off in baseline, on in fused"],
    [{ facts: { version: "0.23.0" } }, "the server's version differs: 0.22.0 in baseline, 0.23.0 in fused"],
    [{ facts: { cache_dtype: "fp8" } }, "the server's cache_dtype differs: auto in baseline, fp8 in fused"],
  ])("%j: no", (changed, reason) => {
    expect(comparable(SAME, { ...SAME, ...changed }, { preset })).toEqual([reason]);
  });

  it("are not judged by what one of them does not say", () => {
    expect(comparable(SAME, { model: "org/m" }, { preset })).toEqual([]);
    expect(comparable({}, SAME, { preset })).toEqual([]);
  });

  it("of SGLang are judged by what it says, its radix cache among it", () => {
    const say = (disabled: boolean, backend: string): VariantFacts => ({
      facts: { disable_radix_cache: disabled, moe_runner_backend: backend, api_key: "no matter" },
    });
    expect(comparable(say(true, "triton"), say(false, "aiter"), { preset: ENGINES.sglang })).toEqual([
      "prefix caching differs: off in baseline, on in fused",
      "the server's moe_runner_backend differs: triton in baseline, aiter in fused",
    ]);
  });

  it.each([
    [{ switch: "moe-runner-triton-kernel" }, { moe_runner_backend: "triton" }, { moe_runner_backend: "triton_kernel" }],
    [{ switch: "shared-experts" }, { disable_shared_experts_fusion: true }, { disable_shared_experts_fusion: false }],
    [
      {
        variants: { baseline: { args: ["--attention-backend", "fa3"] }, fused: { args: "--attention-backend triton" } },
      },
      { attention_backend: "fa3" },
      { attention_backend: "triton" },
    ],
  ])("may differ in what they are meant to differ in: %j", (config, a, b) => {
    const { meantToDiffer } = resolveVariants({ engine: "sglang", model: "m", ...config });
    expect(comparable({ facts: a }, { facts: b }, { preset: ENGINES.sglang })).toHaveLength(1);
    expect(comparable({ facts: a }, { facts: b }, { preset: ENGINES.sglang, meantToDiffer })).toEqual([]);
  });
});
