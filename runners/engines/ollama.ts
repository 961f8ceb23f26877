import { NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const ollama: EnginePreset = {
  title: "Ollama",
  dialect: "ollama",
  launch: { command: ["ollama", "serve"], env: { OLLAMA_HOST: "{host}:{port}" } },
  healthPath: "/api/version",
  healthMeans: "the server is up; a model is loaded by its first request",
  startupMs: 10 * 60_000,
  stopSignal: "SIGTERM",
  graceMs: 10_000,
  switches: {},
  capture: NO_CAPTURE,
  identify: [{ path: "/api/version", fields: ["version"] }],
  sameFacts: [],
  prefixCaching: { off: {}, about: "on; neither read nor turned off" },
  deterministic: { env: { OLLAMA_NUM_PARALLEL: "1" }, about: "one request at a time" },
  notes: ["Serves what was pulled before: its name is the model's."],
};
