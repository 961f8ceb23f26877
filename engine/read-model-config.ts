import { readFileSync } from "node:fs";
import { UserError } from "../errors.ts";
import { parseModelConfig } from "./config.ts";
import type { ModelConfig } from "./config.ts";

/** @throws UserError where there is no `config.json` at this path, or one that this engine cannot run */
export function readModelConfig(path: string): ModelConfig {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}; give the folder of a checkpoint`, { cause });
  }
  return parseModelConfig(text, path);
}
