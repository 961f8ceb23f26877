/** What each engine is started with: word for word, on both sides of each of its switches. */
import { describe, expect, it } from "vitest";
import { ENGINE_NAMES, ENGINES, getEngine, getSwitch } from "../../../runners/engines/index.ts";
import type { EngineName } from "../../../runners/engines/index.ts";
import { resolveVariants } from "../../../runners/config/index.ts";
import type { VariantSpec } from "../../../runners/config/index.ts";
import { buildCommand } from "../../../runners/launch/command.ts";
import { DIALECTS } from "../../../runners/openai/index.ts";

const MODEL = "org/a model";
const PLACES = { host: "127.0.0.1", port: 4321 };

/** Set where a variable must be taken away. */
const STRAY = {
  PATH: "/bin",
  GGML_CUDA_DISABLE_FUSION: "0",
  GGML_VK_DISABLE_FUSION: "0",
  VLLM_MOE_ROUTING_SIMULATION_STRATEGY: "uniform_random",
  AITER_TRITON_USE_HERD: "1",
};

function started(variant: VariantSpec, environment: Readonly<Record<string, string>>): { argv: string; env: object } {
  if (variant.kind !== "launch") throw new Error("it is not started");
  const { argv, env } = buildCommand(variant.spec, PLACES, environment);
  return { argv: argv.map((word) => (word.includes(" ") ? `'${word}'` : word)).join(" "), env };
}

const COMMANDS: Readonly<Record<Exclude<EngineName, "openai">, string>> = {
  atom: `python3 -m atom.entrypoints.openai_server --model '${MODEL}' --host 127.0.0.1 --server-port 4321`,
  vllm: `vllm serve '${MODEL}' --host 127.0.0.1 --port 4321`,
  sglang: `python3 -m sglang.launch_server --model-path '${MODEL}' --host 127.0.0.1 --port 4321`,
  "llama-cpp": `llama-server -m '${MODEL}' --host 127.0.0.1 --port 4321 -np 1`,
  trtllm: `trtllm-serve '${MODEL}' --host 127.0.0.1 --port 4321 --backend pytorch`,
  tgi: `text-generation-launcher --model-id '${MODEL}' --hostname 127.0.0.1 --port 4321`,
  transformers: "transformers serve --host 127.0.0.1 --port 4321",
  ollama: "ollama serve",
};

type Words = string;
type Env = Readonly<Record<string, string>>;
const TOPK = {
  SGLANG_OPT_USE_FUSED_HASH_TOPK: "true",
  SGLANG_OPT_USE_JIT_KERNEL_FUSED_TOPK: "true",
  SGLANG_OPT_USE_TOPK_V2: "true",
  SGLANG_OPT_DEGENERATE_GROUPED_TOPK_FUSED: "true",
};
const AITER = { VLLM_ROCM_USE_AITER: "1" };

/** Engine, switch; off: added words, environment; on: the same. Variables that are not named are not there. */
const SWITCHES: readonly (readonly [EngineName, string, Words, Env, Words, Env])[] = [
  ["atom", "triton-moe", "", { ATOM_USE_TRITON_MOE: "0" }, "", { ATOM_USE_TRITON_MOE: "1" }],
  [
    "atom",
    "triton-moe-decode",
    "",
    { ATOM_USE_TRITON_MOE_DECODE: "0", ATOM_MOE_GU_ITLV: "0" },
    "",
    { ATOM_USE_TRITON_MOE_DECODE: "1", ATOM_MOE_GU_ITLV: "0" },
  ],
  ["atom", "shared-expert", "", { ATOM_FUSE_SHARED_EXPERT: "0" }, "", { ATOM_FUSE_SHARED_EXPERT: "1" }],
  ["vllm", "grouped-topk", "", { VLLM_USE_FUSED_MOE_GROUPED_TOPK: "0" }, "", { VLLM_USE_FUSED_MOE_GROUPED_TOPK: "1" }],
  ["vllm", "aiter-moe", "", { ...AITER, VLLM_ROCM_USE_AITER_MOE: "0" }, "", { ...AITER, VLLM_ROCM_USE_AITER_MOE: "1" }],
  [
    "vllm",
    "aiter-shared-experts",
    "",
    { ...AITER, VLLM_ROCM_USE_AITER_MOE: "1", VLLM_ROCM_USE_AITER_FUSION_SHARED_EXPERTS: "0" },
    "",
    { ...AITER, VLLM_ROCM_USE_AITER_MOE: "1", VLLM_ROCM_USE_AITER_FUSION_SHARED_EXPERTS: "1" },
  ],
  ["vllm", "moe-backend-aiter", "--moe-backend triton", {}, "--moe-backend aiter", {}],
  ["vllm", "moe-backend-flashinfer", "--moe-backend triton", {}, "--moe-backend flashinfer_trtllm", {}],
  ["sglang", "hash-topk", "", { ...TOPK, SGLANG_OPT_USE_FUSED_HASH_TOPK: "false" }, "", TOPK],
  ["sglang", "jit-topk", "", { ...TOPK, SGLANG_OPT_USE_JIT_KERNEL_FUSED_TOPK: "false" }, "", TOPK],
  ["sglang", "topk-v2", "", { ...TOPK, SGLANG_OPT_USE_TOPK_V2: "false" }, "", TOPK],
  ["sglang", "degenerate-grouped-topk", "", { ...TOPK, SGLANG_OPT_DEGENERATE_GROUPED_TOPK_FUSED: "false" }, "", TOPK],
  ["sglang", "aiter", "", { SGLANG_USE_AITER: "0" }, "", { SGLANG_USE_AITER: "1" }],
  ["sglang", "shared-experts", "--disable-shared-experts-fusion", {}, "--enforce-shared-experts-fusion", {}],
  ["sglang", "moe-runner-triton-kernel", "--moe-runner-backend triton", {}, "--moe-runner-backend triton_kernel", {}],
  ["sglang", "moe-runner-flashinfer", "--moe-runner-backend triton", {}, "--moe-runner-backend flashinfer_trtllm", {}],
  // On is unset: a build from before a fix takes any value, 0 too, for "off".
  ["llama-cpp", "fusion", "", { GGML_CUDA_DISABLE_FUSION: "1" }, "", {}],
  ["llama-cpp", "vulkan-fusion", "", { GGML_VK_DISABLE_FUSION: "1" }, "", {}],
];

describe("presets", () => {
  it.each(Object.entries(COMMANDS))("%s is started so", (engine, command) => {
    const variants = { baseline: { env: { SIDE: 0 } }, fused: { env: { SIDE: 1 } } };
    const { baseline, fused } = resolveVariants({ engine, model: MODEL, variants });
    expect([started(baseline, {}).argv, started(fused, {}).argv]).toEqual([command, command]);
  });

  it("Ollama is told its port by a variable", () => {
    const variants = { baseline: { env: { SIDE: 0 } } };
    const { fused } = resolveVariants({ engine: "ollama", variants });
    expect(started(fused, {}).env).toEqual({ OLLAMA_HOST: "127.0.0.1:4321" });
  });

  it.each(SWITCHES)("%s --switch %s", (engine, name, offWords, offEnv, onWords, onEnv) => {
    const { baseline, fused } = resolveVariants({ engine, switch: name, model: MODEL });
    const command = COMMANDS[engine as keyof typeof COMMANDS];
    const others = Object.fromEntries(
      Object.entries(STRAY).filter(([variable]) => {
        const { off, on } = getSwitch(getEngine(engine), name);
        const guarded = { ...ENGINES[engine].launch?.env, ...off.env, ...on.env };
        return !Object.hasOwn(guarded, variable);
      }),
    );
    expect(started(baseline, STRAY)).toEqual({
      argv: [command, offWords].filter((words) => words !== "").join(" "),
      env: { ...others, ...offEnv },
    });
    expect(started(fused, STRAY)).toEqual({
      argv: [command, onWords].filter((words) => words !== "").join(" "),
      env: { ...others, ...onEnv },
    });
  });

  it("are all in this test, with all their switches", () => {
    expect(SWITCHES.map(([engine, name]) => `${engine} ${name}`)).toEqual(
      ENGINE_NAMES.flatMap((engine) => Object.keys(ENGINES[engine].switches).map((name) => `${engine} ${name}`)),
    );
    expect([...Object.keys(COMMANDS), "openai"]).toEqual(ENGINE_NAMES);
  });

  it("are one for each dialect, which they ask in", () => {
    expect(Object.keys(DIALECTS).toSorted()).toEqual([...ENGINE_NAMES].toSorted());
    expect(ENGINE_NAMES.map((name) => ENGINES[name].dialect)).toEqual(ENGINE_NAMES);
  });

  it("take away what would replace the router, in both variants", () => {
    for (const [engine, variable] of [
      ["vllm", "VLLM_MOE_ROUTING_SIMULATION_STRATEGY"],
      ["atom", "AITER_TRITON_USE_HERD"],
    ] as const) {
      const { baseline, fused } = resolveVariants({
        engine,
        switch: Object.keys(ENGINES[engine].switches)[0]!,
        model: "m",
      });
      for (const variant of [baseline, fused]) expect(started(variant, STRAY).env).not.toHaveProperty(variable);
    }
  });
});

describe("names", () => {
  it("of engines that are not known suggest the nearest", () => {
    expect(() => getEngine("llamacpp")).toThrow(
      'no engine "llamacpp" (did you mean "llama-cpp"?); there are: atom, vllm, sglang, llama-cpp, trtllm, tgi, transformers, ollama, openai',
    );
    expect(() => getEngine("toString")).toThrow('no engine "toString"');
  });

  it("of switches too", () => {
    expect(() => getSwitch(getEngine("llama-cpp"), "fuson")).toThrow(
      'llama.cpp has no switch "fuson" (did you mean "fusion"?); it has: fusion, vulkan-fusion',
    );
    expect(() => getSwitch(getEngine("vllm"), "constructor")).toThrow('vLLM has no switch "constructor"');
    expect(() => getSwitch(getEngine("tgi"), "fusion")).toThrow(
      "TGI has no routing switch by name; give each variant its env, args or command in fusecheck.yaml",
    );
  });
});
