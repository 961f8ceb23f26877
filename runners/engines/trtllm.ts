import { GRACE_MS, LARGE_MODEL_STARTUP_MS, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const trtllm: EnginePreset = {
  title: "TensorRT-LLM",
  dialect: "trtllm",
  launch: { command: "trtllm-serve {model} --host {host} --port {port} --backend pytorch".split(" ") },
  healthPath: "/health",
  healthMeans: "the model is loaded",
  startupMs: LARGE_MODEL_STARTUP_MS,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  switches: {},
  capture: { ...NO_CAPTURE, about: "says nothing of its experts over HTTP (its Python API can)" },
  identify: [{ path: "/version", fields: ["version"] }],
  sameFacts: [],
  prefixCaching: {
    off: {},
    about: "on by default (block reuse); off by kv_cache_config.enable_block_reuse in its options file; cannot be read",
  },
  deterministic: { about: "give both variants the same options file but for what is compared" },
  notes: [
    "Its MoE kernels are chosen by moe_config.backend in an options file: give each variant its own with --extra_llm_api_options in args.",
  ],
};
