import { GRACE_MS, LARGE_MODEL_STARTUP_MS, NO_CAPTURE } from "./preset.ts";
import type { EnginePreset } from "./preset.ts";

export const openai: EnginePreset = {
  title: "any server that speaks the OpenAI protocol",
  dialect: "openai",
  healthPath: "/v1/models",
  healthMeans: "the server is up",
  startupMs: LARGE_MODEL_STARTUP_MS,
  stopSignal: "SIGTERM",
  graceMs: GRACE_MS,
  switches: {},
  capture: NO_CAPTURE,
  identify: [],
  sameFacts: [],
  prefixCaching: { off: {}, about: "not known" },
  deterministic: { about: "nothing beyond greedy answers" },
  notes: ["Has no launch command of its own: give one, or base URLs."],
};
