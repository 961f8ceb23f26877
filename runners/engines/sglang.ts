import { envSwitch, flagSwitch, GRACE_MS, LARGE_MODEL_STARTUP_MS } from "./preset.ts";
import type { EnginePreset, RoutingSwitch } from "./preset.ts";

/** On in most versions and off in some forks, so that all of them are always set. */
const FUSED_TOPK = {
  SGLANG_OPT_USE_FUSED_HASH_TOPK: "true",
  SGLANG_OPT_USE_JIT_KERNEL_FUSED_TOPK: "true",
  SGLANG_OPT_USE_TOPK_V2: "true",
  SGLANG_OPT_DEGENERATE_GROUPED_TOPK_FUSED: "true",
} as const;

function fusedTopk(about: string, variable: keyof typeof FUSED_TOPK, caution?: string): RoutingSwitch {
  return { about, ...envSwitch(variable, "false", "true", FUSED_TOPK), ...(caution !== undefined && { caution }) };
}

const SERVER_FIELDS = [
  "version",
  "model_path",
  "served_model_name",
  "tp_size",
  "dp_size",
  "ep_size",
  "dtype",
  "quantization",
  "kv_cache_dtype",
  "context_length",
  "attention_backend",
  "moe_runner_backend",
  "moe_a2a_backend",
  "disable_radix_cache",
  "disable_shared_experts_fusion",
  "enable_deterministic_inference",
];

export const sglang: EnginePreset = {
  title: "SGLang",
  dialect: "sglang",
  launch: { command: "python3 -m sglang.launch_server --model-path {model} --host {host} --port {port}".split(" ") },
  healthPath: "/health",
  healthMeans: "its warm-up is over and it has just generated a token",
  startupMs: LARGE_MODEL_STARTUP_MS,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  switches: {
    "hash-topk": fusedTopk("hash routing's top-k in one kernel", "SGLANG_OPT_USE_FUSED_HASH_TOPK"),
    "jit-topk": fusedTopk(
      "top-k in one JIT-compiled kernel",
      "SGLANG_OPT_USE_JIT_KERNEL_FUSED_TOPK",
      "read only for models that score by sqrt(softplus)",
    ),
    "topk-v2": fusedTopk("the second version of the top-k kernel", "SGLANG_OPT_USE_TOPK_V2"),
    "degenerate-grouped-topk": fusedTopk(
      "grouped top-k of a single group in one kernel",
      "SGLANG_OPT_DEGENERATE_GROUPED_TOPK_FUSED",
    ),
    aiter: { about: "AITER's kernels (ROCm)", ...envSwitch("SGLANG_USE_AITER", "0", "1") },
    "shared-experts": {
      about: "the shared experts fused into the routed ones",
      off: { args: ["--disable-shared-experts-fusion"] },
      on: { args: ["--enforce-shared-experts-fusion"] },
    },
    "moe-runner-triton-kernel": {
      about: "MoE by triton_kernels with its routing data, against Triton",
      ...flagSwitch("--moe-runner-backend", "triton", "triton_kernel"),
      caution: "experts are not captured on this backend",
    },
    "moe-runner-flashinfer": {
      about: "MoE by FlashInfer's TRTLLM kernels, which route inside, against Triton",
      ...flagSwitch("--moe-runner-backend", "triton", "flashinfer_trtllm"),
      caution: "experts are not captured on this backend",
    },
  },
  capture: {
    form: "sglang-base64-int32",
    args: ["--enable-return-routed-experts"],
    about:
      "sglext.routed_experts (or sgl_ext, in the response or in each choice): base64 of int32, dense layers as zeros",
  },
  // Its other fields include its API key.
  identify: [
    { path: "/get_server_info", fields: SERVER_FIELDS },
    { path: "/server_info", fields: SERVER_FIELDS },
  ],
  sameFacts: [
    "tp_size",
    "dp_size",
    "ep_size",
    "dtype",
    "quantization",
    "kv_cache_dtype",
    "context_length",
    "attention_backend",
    "moe_runner_backend",
    "moe_a2a_backend",
    "disable_shared_experts_fusion",
    "enable_deterministic_inference",
  ],
  prefixCaching: {
    read: ({ disable_radix_cache: disabled }) => (typeof disabled === "boolean" ? !disabled : undefined),
    off: { args: ["--disable-radix-cache"] },
    about: "on by default; read from /get_server_info",
  },
  deterministic: {
    args: ["--enable-deterministic-inference"],
    about:
      "or, as its own routing tests have it: --disable-overlap-schedule --disable-cuda-graph --disable-radix-cache",
  },
  notes: ["Refuses requests with HTTP 503 beyond --max-queued-requests, where that is set."],
};
