/** A Hugging Face checkpoint folder: `config.json`, `model.safetensors`, `tokenizer.json`. */
import { join } from "node:path";
import { UserError } from "../errors.ts";
import type { ModelConfig } from "./config.ts";
import { readModelConfig } from "./read-model-config.ts";
import { openSafetensors } from "./safetensors.ts";

export interface Checkpoint {
  readonly config: ModelConfig;
  /**
   * A weight as float32.
   *
   * @throws UserError when the file lacks it, or its shape is not what the config implies
   */
  tensor(name: string, shape: readonly number[]): Float32Array;
  /**
   * To be called when the model is built.
   *
   * @throws UserError when the file holds weights that nobody asked for: its model is another than the config's
   */
  checkAllUsed(): void;
  close(): void;
}

/** Opens a checkpoint for reading; weights are read one at a time as graphs are built from them. */
export function openCheckpoint(dir: string): Checkpoint {
  const configPath = join(dir, "config.json");
  const config = readModelConfig(configPath);
  const file = openSafetensors(join(dir, "model.safetensors"));
  const used = new Set<string>();
  return {
    config,
    tensor(name, shape) {
      const info = file.info(name);
      used.add(name);
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
    checkAllUsed() {
      const unused = [...file.tensors.keys()].filter((name) => !used.has(name) && !isIdle(name, config));
      const [first] = unused;
      if (first === undefined) return;
      const others = unused.length > 1 ? ` and ${unused.length - 1} others` : "";
      throw new UserError(
        `${file.path} holds tensor "${first}"${others}, for which ${configPath} has no use; use the config that belongs to these weights`,
      );
    },
    close: () => file.close(),
  };
}

/** What checkpoints hold and a forward pass does not need: layers that predict further tokens, and tables of angles. */
function isIdle(name: string, { nLayers, nNextTokenLayers }: ModelConfig): boolean {
  const [, layer] = /^model\.layers\.(\d+)\./.exec(name) ?? [];
  const isNextToken = layer !== undefined && Number(layer) >= nLayers && Number(layer) < nLayers + nNextTokenLayers;
  return isNextToken || name.endsWith(".rotary_emb.inv_freq");
}
