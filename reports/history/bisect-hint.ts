/** What changed between two runs: where whoever looks for a fault begins. Pure. */
import { isJsonArray } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";

export interface ChangedFact {
  /** `environment.git_commit` */
  readonly name: string;
  /** JSON text, or `not set`. */
  readonly before: string;
  readonly now: string;
}

/** Differ from start to start and explain nothing. */
const NOISE = new Set(["startup_s", "pid", "base_url", "baseUrl", "created", "uptime"]);

/** The facts of the last good run and of the first bad one that are not alike, by name; lists word by word. */
export function changedFacts(before: JsonObject, now: JsonObject): readonly ChangedFact[] {
  const [a, b] = [flat(before), flat(now)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .toSorted()
    .filter((name) => a.get(name) !== b.get(name))
    .map((name) => ({ name, before: a.get(name) ?? "not set", now: b.get(name) ?? "not set" }));
}

function flat(facts: JsonObject): Map<string, string> {
  const leaves = new Map<string, string>();
  const walk = (value: JsonValue, path: string): void => {
    if (typeof value !== "object" || value === null) leaves.set(path, withoutPorts(JSON.stringify(value)));
    // An argument more would shift all behind it: a list is one fact.
    else if (isJsonArray(value)) leaves.set(path, withoutPorts(JSON.stringify(value)));
    else
      for (const [key, member] of Object.entries(value))
        if (!NOISE.has(key)) walk(member, path === "" ? key : `${path}.${key}`);
  };
  walk(facts, "");
  return leaves;
}

/** Servers are started on whatever port is free. */
function withoutPorts(text: string): string {
  return text
    .replaceAll(/("--port",)"\d+"/g, '$1"PORT"')
    .replaceAll(/(--port[ =])\d+/g, "$1PORT")
    .replaceAll(/((?:127\.0\.0\.1|localhost|\[::1\]|0\.0\.0\.0):)\d+/g, "$1PORT");
}
