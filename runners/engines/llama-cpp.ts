import { envSwitch, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const llamaCpp: EnginePreset = {
  title: "llama.cpp",
  dialect: "llama-cpp",
  // Its default port has changed between versions. By default it has several slots that share one context: prompts that fit
  // alone then fail together, with HTTP 500 ("Context size has been exceeded"), and answers depend on what else runs.
  launch: { command: "llama-server -m {model} --host {host} --port {port} -np 1".split(" ") },
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
  notes: [
    "Requests beyond -np sequences wait; none is refused. For several at a time, give both variants -np N and -c with N times the context of one: they share it.",
    "Flash attention and a cache of 16 bits, both on by default, changed 3 answers in 20 of a small model; -fa off -ctk f32 -ctv f32 gave those of Transformers, to the character.",
    "The server of llama-cpp-python speaks this dialect, too: one request at a time, no health page, a cache of the last prompt that no request turns off, and streams that say nothing of their tokens (leave --stream out).",
  ],
};
