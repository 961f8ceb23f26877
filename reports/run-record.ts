import { createHash } from "node:crypto";
import type { RunEnvironment } from "./environment.ts";
import { canonicalJson, isJsonArray, type JsonObject, type JsonValue } from "./json.ts";

/**
 * - `running`: a process is at it, or was killed.
 * - `interrupted`: stopped by the user; the same command goes on.
 * - `incomplete`: ran to its end, but requests failed; the same command asks those again.
 * - `complete`: every doc has its outcome and the final files are written.
 */
export type RunStatus = "running" | "interrupted" | "incomplete" | "complete";

/** What a run records about one variant. */
export interface VariantRecord {
  /** Wall clock over all sessions. */
  readonly seconds: number;
  /** How many times the run was started and worked on this variant. */
  readonly sessions: number;
  /** What the variant was found to be when it was last opened. */
  readonly engine?: JsonObject;
  /** What it was found to be before that, where it was something else: the user allowed it. The oldest first. */
  readonly earlier?: readonly EarlierEngine[];
}

export interface EarlierEngine {
  readonly engine: JsonObject;
  /** Docs that were answered, by it and those before it. */
  readonly answered: number;
}

/** The content of `run.json`: what was asked, what that was resolved to, and on what it ran. */
export interface RunRecord {
  readonly schema: 1;
  /** fusecheck's version. */
  readonly fusecheck: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly status: RunStatus;
  /** Flags as given. */
  readonly asked: JsonObject;
  /** Resolved settings: what must be equal for a run to be resumed. */
  readonly settings: JsonObject;
  /** `fingerprintOf(settings)` */
  readonly fingerprint: string;
  readonly task: { readonly name: string; readonly version: number; readonly provenance: JsonValue };
  readonly engine: JsonObject;
  readonly environment: RunEnvironment;
  readonly variants: Readonly<Record<string, VariantRecord>>;
}

/** SHA-256, in hex, of the settings as canonical JSON (sorted keys). */
export function fingerprintOf(settings: JsonObject): string {
  return createHash("sha256").update(canonicalJson(settings)).digest("hex");
}

/** The first setting, by name, in which two runs differ. Members of nested objects are named `outer.inner`. */
export interface SettingDifference {
  readonly name: string;
  /** JSON text, or `not set`. */
  readonly before: string;
  readonly now: string;
}

/** The first differing setting; `undefined` when all are equal. */
export function firstDifference(before: JsonObject, now: JsonObject, prefix = ""): SettingDifference | undefined {
  for (const key of [...new Set([...Object.keys(before), ...Object.keys(now)])].toSorted()) {
    const a = Object.hasOwn(before, key) ? before[key] : undefined;
    const b = Object.hasOwn(now, key) ? now[key] : undefined;
    const name = prefix + key;
    if (isObject(a) && isObject(b)) {
      const inner = firstDifference(a, b, `${name}.`);
      if (inner !== undefined) return inner;
    } else if (shown(a) !== shown(b)) return { name, before: shown(a), now: shown(b) };
  }
  return undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !isJsonArray(value);
}

function shown(value: JsonValue | undefined): string {
  return value === undefined ? "not set" : canonicalJson(value);
}

/** True for what has the shape of a run record of this schema, as far as resuming depends on it. */
export function isRunRecord(value: unknown): value is RunRecord {
  if (typeof value !== "object" || value === null) return false;
  const { schema, created, settings, fingerprint, variants } = value as Partial<RunRecord>;
  return (
    schema === 1 &&
    typeof created === "string" &&
    typeof fingerprint === "string" &&
    isObject(settings) &&
    isObject(variants as unknown as JsonValue)
  );
}
