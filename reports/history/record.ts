/** What the history keeps of a run. Pure. */
import { createHash } from "node:crypto";
import type { Comparison, VariantSummary } from "../comparison.ts";
import { canonicalJson } from "../json.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import type { RunRecord } from "../run-record.ts";
import { stated } from "../stated.ts";

/** One variant's exact match under one answer filter. */
export interface HistoryScore {
  readonly variant: string;
  readonly filter: string;
  readonly correct: number;
  /** Docs that were answered: the denominator. */
  readonly n: number;
}

/** A finished run as the history holds it. Plain JSON: it travels in `nightly.json`. */
export interface HistoryRun {
  /** The same for the same run, whenever and wherever it is added. */
  readonly id: string;
  /** Of its series: a row's name in a nightly job, else the model. */
  readonly name: string;
  readonly model: string;
  readonly engine: string;
  readonly task: string;
  readonly task_version: number;
  /** SHA-256, shortened, of the settings that decide what is asked: exact match of others cannot be compared. */
  readonly protocol: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** The night of a nightly job; null where there was none. */
  readonly night: string | null;
  /** Every doc was answered. Others are kept and shown, but are in no level and raise no alarm. */
  readonly complete: boolean;
  readonly held: boolean;
  readonly folder: string;
  /** What could explain a change: engine, launch, versions, machine. */
  readonly facts: JsonObject;
  readonly scores: readonly HistoryScore[];
}

export interface HistoryRunOptions {
  readonly folder: string;
  readonly name?: string;
  readonly night?: string;
  /** More that could explain a change, such as a container image. */
  readonly facts?: JsonObject;
}

/** Settings that say how much is compared, not what is asked. */
const NOT_PROTOCOL = new Set(["engine", "fused", "variants", "parity_docs"]);
/** What of the engine is part of the question. */
const ASKED_OF_ENGINE = ["api", "extra_body", "ignore_eos"];

export function historyRunOf(record: RunRecord, comparison: Comparison, options: HistoryRunOptions): HistoryRun {
  const model = stated(record.engine, "model");
  const { name = model, night = null, folder, facts = {} } = options;
  const { created, fingerprint, environment } = record;
  const identity = canonicalJson({ created, fingerprint, environment: environment as unknown as JsonObject });
  return {
    id: shortHash(identity, 32),
    name,
    model,
    engine: stated(record.engine, "name"),
    task: record.task.name,
    task_version: record.task.version,
    protocol: protocolOf(record),
    created,
    night,
    complete: comparison.verdict.complete,
    held: comparison.verdict.held,
    folder,
    facts: {
      fusecheck: record.fusecheck,
      engine: record.engine,
      variants: Object.fromEntries(
        Object.entries(record.variants).map(([variant, { engine = {} }]) => [variant, engine]),
      ),
      environment: environment as unknown as JsonObject,
      ...(Object.keys(facts).length > 0 && { stated: facts }),
    },
    scores: comparison.variants.flatMap(scoresOf),
  };
}

function protocolOf({ settings, engine }: RunRecord): string {
  const asked = Object.entries(settings).filter(([key]) => !NOT_PROTOCOL.has(key));
  const ofEngine = ASKED_OF_ENGINE.filter((key) => Object.hasOwn(engine, key)).map(
    (key) => [key, engine[key]!] as const,
  );
  return shortHash(canonicalJson(Object.fromEntries<JsonValue>([...asked, ...ofEngine])), 12);
}

function scoresOf({ name, table, counts }: VariantSummary): HistoryScore[] {
  const n = counts.scored + counts.unanswered;
  if (n === 0) return [];
  return Object.values(table.results).flatMap((result) =>
    Object.entries(result).flatMap(([key, value]) => {
      const [, filter] = /^exact_match,(.+)$/.exec(key) ?? [];
      if (filter === undefined || typeof value !== "number") return [];
      return [{ variant: name, filter, correct: Math.round(value * n), n }];
    }),
  );
}

function shortHash(text: string, digits: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, digits);
}
