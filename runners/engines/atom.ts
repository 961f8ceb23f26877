import { envSwitch, GRACE_MS, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const atom: EnginePreset = {
  title: "ATOM",
  dialect: "atom",
  launch: {
    // Its `--port` is the port of its own parts among themselves.
    command: [
      ..."python3 -m atom.entrypoints.openai_server --model {model}".split(" "),
      ..."--host {host} --server-port {port}".split(" "),
    ],
    // Drops the experts that a batch uses least: another selection, not another kernel.
    env: { AITER_TRITON_USE_HERD: null },
  },
  healthPath: "/health",
  healthMeans: "nothing: the answer is a constant",
  // Its own CI waits 45 minutes.
  startupMs: 45 * 60_000,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  clearBetween: {
    folder: [".cache", "atom"],
    because: "compiled code of one variant is found there by the other, which fails or answers in silence",
  },
  switches: {
    "triton-moe": {
      about: "MoE by Triton kernels, routing data included",
      ...envSwitch("ATOM_USE_TRITON_MOE", "0", "1"),
      caution: "unset is not 0 on gfx94*; --eplb-enable turns it off; some models lose a third of GSM8K without it",
    },
    "triton-moe-decode": {
      about: "MoE by Triton kernels in decode steps only",
      ...envSwitch("ATOM_USE_TRITON_MOE_DECODE", "0", "1", { ATOM_MOE_GU_ITLV: "0" }),
      caution: "ATOM_MOE_GU_ITLV=1 would make it ignored, so that is 0 in both; --eplb-enable turns it off",
    },
    "shared-expert": {
      about: "the shared expert fused into the routed ones",
      ...envSwitch("ATOM_FUSE_SHARED_EXPERT", "0", "1"),
    },
  },
  capture: NO_CAPTURE,
  identify: [{ path: "/server_info", fields: ["model_id", "served_model_name", "tp_size", "dp_size"] }],
  sameFacts: ["tp_size", "dp_size"],
  prefixCaching: { off: { args: ["--no-enable_prefix_caching"] }, about: "on by default; cannot be read" },
  deterministic: {
    args: ["--no-enable_prefix_caching", "--enforce-eager"],
    about: "sampling takes no seed: greedy only; answers still depend on what shares a batch",
  },
  notes: [
    "fused_routing_from_topk has no switch: give each variant its own check-out (cwd), the fusing commit and its parent; it only serves batches of at most 4096 tokens times experts per token.",
    "Drops fields that it does not know without a word.",
  ],
};
