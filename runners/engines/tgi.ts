import { GRACE_MS, LARGE_MODEL_STARTUP_MS, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const tgi: EnginePreset = {
  title: "TGI",
  dialect: "tgi",
  launch: { command: "text-generation-launcher --model-id {model} --hostname {host} --port {port}".split(" ") },
  healthPath: "/health",
  healthMeans: "the router answers and its shards have generated",
  startupMs: LARGE_MODEL_STARTUP_MS,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  switches: {},
  capture: NO_CAPTURE,
  identify: [{ path: "/info", fields: ["version", "sha", "model_id", "model_sha", "model_dtype", "max_total_tokens"] }],
  sameFacts: ["model_sha", "model_dtype", "max_total_tokens"],
  prefixCaching: { off: { env: { PREFIX_CACHING: "0" } }, about: "depends on the model; cannot be read" },
  deterministic: { about: "nothing beyond greedy answers" },
  notes: [
    "Side by side on one machine, each variant needs its own --shard-uds-path, --master-port and --prometheus-port.",
  ],
};
