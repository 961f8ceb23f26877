/** A Hugging Face checkpoint folder: `config.json`, `model.safetensors`, `tokenizer.json`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { parseModelConfig } from "./config.ts";
import type { ModelConfig } from "./config.ts";
import { openSafetensors } from "./safetensors.ts";

export interface Checkpoint {
  readonly config: ModelConfig;
  /**
   * A weight as float32.
   *
   * @throws UserError when the file lacks it, or its shape is not what the config implies
   */
  tensor(name: string, shape: readonly number[]): Float32Array;
  close(): void;
}

/** Opens a checkpoint for reading; weights are read one at a time as graphs are built from them. */
export function openCheckpoint(dir: string): Checkpoint {
  const configPath = join(dir, "config.json");
  const config = parseModelConfig(readText(configPath), configPath);
  const file = openSafetensors(join(dir, "model.safetensors"));
  return {
    config,
    tensor(name, shape) {
      const info = file.info(name);
      if (info.shape.length !== shape.length || info.shape.some((size, axis) => size !== shape[axis])) {
        throw new UserError(
          `${file.path}: tensor "${name}" has shape [${info.shape.join(", ")}], but ${configPath} implies [${shape.join(", ")}]`,
        );
      }
      const values = file.readFloat32(name);
      if (!values.every(Number.isFinite)) {
        throw new UserError(`${file.path}: tensor "${name}" holds values that are not finite; use an undamaged file`);
      }
      return values;
    },
    close: () => file.close(),
  };
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}; give the folder of a checkpoint`, { cause });
  }
}
