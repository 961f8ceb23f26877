import { NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const transformers: EnginePreset = {
  title: "Transformers",
  dialect: "transformers",
  launch: { command: "transformers serve --host {host} --port {port}".split(" ") },
  // Not its list of models, which fails where there is no cache of models yet. Older versions answer 404 here, once up.
  healthPath: "/health",
  healthMeans: "the server is up; a model is loaded by its first request",
  startupMs: 15 * 60_000,
  stopSignal: "SIGTERM",
  graceMs: 10_000,
  switches: {},
  capture: NO_CAPTURE,
  identify: [],
  sameFacts: [],
  prefixCaching: { off: {}, about: "none" },
  deterministic: { about: "without --continuous-batching, one request at a time" },
  notes: ["Has /v1/completions from 5.8 on; before that, ask with --chat."],
};
