/** Vectors made by the real lm-eval, and GSM8K itself. They lie beside a working checkout, not in the repository. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SHARED = new URL("../../../shared/", import.meta.url);

/** False in a clone that stands alone: the suites that need the vectors are then skipped, and say so in their names. */
export const HAS_SHARED: boolean = existsSync(SHARED);

export function sharedPath(name: string): string {
  return fileURLToPath(new URL(name, SHARED));
}

export function sharedJson(name: string): unknown {
  return JSON.parse(readFileSync(sharedPath(name), "utf8"));
}

export function sharedRows<T>(name: string): T[] {
  const lines = readFileSync(sharedPath(name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as T);
}
