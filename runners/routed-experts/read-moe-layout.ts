import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import { moeLayout } from "./moe-layout.ts";
import type { MoeLayout } from "./moe-layout.ts";

/** A config with a quantization entry for every tensor has a few hundred kilobytes. */
const MAX_CONFIG_BYTES = 16 * 2 ** 20;

/**
 * The layout of the model whose `config.json` this is, or whose folder holds it.
 *
 * @throws UserError when it cannot be read, or is not a mixture-of-experts model's
 */
export function readMoeLayout(path: string): MoeLayout {
  const file = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true ? join(path, "config.json") : path;
  return moeLayout(parse(readBounded(file), file), file);
}

function readBounded(file: string): string {
  try {
    const stat = statSync(file);
    if (!stat.isFile()) throw new Error("it is not a file");
    if (stat.size > MAX_CONFIG_BYTES) throw new Error(`it has ${stat.size} bytes; a config.json is smaller`);
    return readFileSync(file, "utf8");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (cause as Error).message;
    throw new UserError(`cannot read ${file}: ${reason}; give the model's config.json, or the folder it is in`, {
      cause,
    });
  }
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UserError(`${file} is not JSON; give the model's config.json`, { cause });
  }
}
