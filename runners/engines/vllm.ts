import { envSwitch, flagSwitch, GRACE_MS, LARGE_MODEL_STARTUP_MS } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const vllm: EnginePreset = {
  title: "vLLM",
  dialect: "vllm",
  launch: {
    command: "vllm serve {model} --host {host} --port {port}".split(" "),
    // Set to anything, it replaces the model's router.
    env: { VLLM_MOE_ROUTING_SIMULATION_STRATEGY: null },
  },
  healthPath: "/health",
  healthMeans: "the model is loaded and its engine lives; a wedged GPU is not seen",
  startupMs: LARGE_MODEL_STARTUP_MS,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  switches: {
    "grouped-topk": {
      about: "grouped top-k in one CUDA kernel, or in compiled Python",
      ...envSwitch("VLLM_USE_FUSED_MOE_GROUPED_TOPK", "0", "1"),
      caution:
        "CUDA only, at most 32 groups, top-k at most 32, and a correction bias; the Python side is not deterministic from run to run",
    },
    "aiter-moe": {
      about: "AITER's MoE kernels with their grouped top-k (ROCm)",
      ...envSwitch("VLLM_ROCM_USE_AITER_MOE", "0", "1", { VLLM_ROCM_USE_AITER: "1" }),
    },
    "aiter-shared-experts": {
      about: "the shared experts fused into AITER's MoE kernels (ROCm)",
      ...envSwitch("VLLM_ROCM_USE_AITER_FUSION_SHARED_EXPERTS", "0", "1", {
        VLLM_ROCM_USE_AITER: "1",
        VLLM_ROCM_USE_AITER_MOE: "1",
      }),
    },
    "moe-backend-aiter": {
      about: "MoE by AITER against Triton (ROCm)",
      ...flagSwitch("--moe-backend", "triton", "aiter"),
      caution: "which backends there are depends on the version",
    },
    "moe-backend-flashinfer": {
      about: "MoE by FlashInfer's TRTLLM kernels, which route inside, against Triton",
      ...flagSwitch("--moe-backend", "triton", "flashinfer_trtllm"),
      caution: "captured experts come back as zeros from kernels that route inside",
    },
  },
  capture: {
    form: "vllm-base64-npy",
    args: ["--enable-return-routed-experts"],
    about: "choices[].routed_experts: base64 of an .npy file of uint8, uint16 or int32 (0.22 and later); JSON in 0.21",
  },
  identify: [
    { path: "/version", fields: ["version"] },
    {
      path: "/metrics",
      metric: "vllm:cache_config_info",
      fields: ["enable_prefix_caching", "cache_dtype", "block_size"],
    },
  ],
  sameFacts: ["cache_dtype", "block_size"],
  prefixCaching: {
    read: ({ enable_prefix_caching: stated }) => (stated === "True" ? true : stated === "False" ? false : undefined),
    off: { args: ["--no-enable-prefix-caching"] },
    about: "on by default; read from /metrics where it stands there; newer versions need it for routed experts",
  },
  deterministic: {
    env: { VLLM_BATCH_INVARIANT: "1" },
    args: ["--generation-config", "vllm"],
    about: "batch invariance, where the GPU and the version have it; no sampling defaults from the model",
  },
  notes: [
    "A flag or field that it does not know, such as one for captures, is ignored with no more than a line in its log.",
  ],
};
