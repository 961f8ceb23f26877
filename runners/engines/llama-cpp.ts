import { envSwitch, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const llamaCpp: EnginePreset = {
  title: "llama.cpp",
  dialect: "llama-cpp",
  // Its default port has changed between versions.
  launch: { command: "llama-server -m {model} --host {host} --port {port}".split(" ") },
  healthPath: "/health",
  healthMeans: "the model is loaded and ready",
  startupMs: 10 * 60_000,
  stopSignal: "SIGTERM",
  graceMs: 10_000,
  switches: {
    fusion: {
      about: "all fused CUDA kernels, top-k of MoE among them",
      // Before a fix, a build took any value for "off", 0 included.
      ...envSwitch("GGML_CUDA_DISABLE_FUSION", "1", null),
      caution: "turns off every CUDA fusion, not only the router's",
    },
    "vulkan-fusion": {
      about: "all fused Vulkan kernels, top-k of MoE among them",
      ...envSwitch("GGML_VK_DISABLE_FUSION", "1", null),
      caution: "turns off every Vulkan fusion, not only the router's",
    },
  },
  capture: {
    ...NO_CAPTURE,
    about: "says nothing of its experts over HTTP; a callback on the router's tensors switches the fusion off",
  },
  identify: [{ path: "/props", fields: ["build_info", "model_path", "total_slots"] }],
  sameFacts: ["total_slots"],
  prefixCaching: {
    off: { args: ["--no-cache-prompt", "--cache-ram", "0"] },
    about: "on by default; every request of fusecheck turns it off (cache_prompt: false)",
  },
  deterministic: {
    args: ["-np", "1", "--no-cache-prompt", "--cache-ram", "0"],
    about: "one sequence at a time: its logits depend on the batch size",
  },
  notes: ["Requests beyond -np sequences wait; none is refused."],
};
