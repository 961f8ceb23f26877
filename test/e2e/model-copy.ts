/** Copies of the model that comes with fusecheck, made faulty or different. */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MODEL = fileURLToPath(new URL("../../models/abacus-8m/", import.meta.url));
const FILES = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/** @returns the copy's folder, whose weights are a link to the original until they are replaced */
export function modelCopy(parent: string, name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  for (const file of FILES) if (existsSync(join(MODEL, file))) cpSync(join(MODEL, file), join(folder, file));
  symlinkSync(join(MODEL, "model.safetensors"), join(folder, "model.safetensors"));
  return folder;
}

export function weights(): Buffer {
  return readFileSync(join(MODEL, "model.safetensors"));
}

export function replace(folder: string, file: string, content: string | Buffer): void {
  rmSync(join(folder, file));
  writeFileSync(join(folder, file), content);
}

export function editJson(folder: string, file: string, change: (value: Record<string, unknown>) => void): void {
  const path = join(folder, file);
  const value = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  change(value);
  writeFileSync(path, JSON.stringify(value));
}
