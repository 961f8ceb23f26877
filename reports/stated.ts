import type { JsonObject } from "./json.ts";

/** A text that a run record states under a name; `unknown` where it does not. */
export function stated(record: JsonObject, name: string): string {
  const value = record[name];
  return typeof value === "string" ? value : "unknown";
}
