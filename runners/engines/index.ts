/** The engines that fusecheck knows, one row each. */
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import type { DialectName } from "../openai/index.ts";
import { atom } from "./atom.ts";
import { llamaCpp } from "./llama-cpp.ts";
import { ollama } from "./ollama.ts";
import { openai } from "./openai.ts";
import type { EnginePreset, RoutingSwitch } from "./preset.ts";
import { sglang } from "./sglang.ts";
import { tgi } from "./tgi.ts";
import { transformers } from "./transformers.ts";
import { trtllm } from "./trtllm.ts";
import { vllm } from "./vllm.ts";

export { clearEngineCache } from "./clear-cache.ts";
export type { EnginePreset, Side } from "./preset.ts";

/** Every dialect of the openai runner has its engine. */
export type EngineName = DialectName;

export const ENGINES: Readonly<Record<EngineName, EnginePreset>> = {
  atom,
  vllm,
  sglang,
  "llama-cpp": llamaCpp,
  trtllm,
  tgi,
  transformers,
  ollama,
  openai,
};

export const ENGINE_NAMES = Object.keys(ENGINES) as readonly EngineName[];

/** @throws UserError that lists the engines there are */
export function getEngine(name: string): EnginePreset {
  if (Object.hasOwn(ENGINES, name)) return ENGINES[name as EngineName];
  throw new UserError(`no engine "${name}"${didYouMean(name, ENGINE_NAMES)}; there are: ${ENGINE_NAMES.join(", ")}`);
}

/** @throws UserError that lists the engine's switches */
export function getSwitch({ title, switches }: EnginePreset, name: string): RoutingSwitch {
  const found = Object.hasOwn(switches, name) ? switches[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(switches);
  throw new UserError(
    names.length === 0
      ? `${title} has no routing switch by name; give each variant its env, args or command in fusecheck.yaml`
      : `${title} has no switch "${name}"${didYouMean(name, names)}; it has: ${names.join(", ")}`,
  );
}
