/** Summaries come from other machines: what is read from one is checked before it reaches a database or a report. */
import { z } from "zod";
import type { NightSummary, RowResult } from "./summary.ts";

const text = z.string().max(100_000);
const count = z.int().min(0);
const share = z.number().min(-1).max(1);

const score = z.object({ variant: text, filter: text, correct: count, n: count.min(1) });

const historyRun = z.object({
  id: text.min(1),
  name: text,
  model: text,
  engine: text,
  task: text,
  task_version: z.int(),
  protocol: text,
  created: z.iso.datetime(),
  night: text.nullable(),
  complete: z.boolean(),
  held: z.boolean(),
  folder: text,
  facts: z.record(z.string(), z.json()),
  scores: z.array(score).max(1000),
});

const rowResult = z.object({
  name: text,
  outcome: z.enum(["held", "regressed", "inconclusive", "incomplete", "failed"]),
  reasons: z.array(text).max(10_000),
  decisions: z.array(
    z.object({
      filter: text,
      decision: z.enum(["within the margin", "regressed", "inconclusive"]),
      n: count,
      runs: count,
      delta: share,
      low: share,
      high: share,
    }),
  ),
  folders: z.array(text).max(100),
  seconds: z.number().min(0),
  run: historyRun.nullable(),
});

const summary = z.object({
  schema: z.literal(1),
  fusecheck: text,
  night: text,
  config: z.object({ sha256: text, false_alarm_nights: z.int().min(10).max(10_000_000), rows: z.array(text) }),
  shard: z.object({ index: count.min(1), of: count.min(1).max(10_000) }).nullable(),
  rows: z.array(rowResult),
  history: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("none"), reason: text }),
    z.object({ kind: z.literal("written"), place: text, series: count }),
    z.object({ kind: z.literal("lost"), place: text, reason: text }),
  ]),
  alarms: z.array(z.object({ series: text, row: text, kind: z.enum(["loss", "gain"]), text, hint: z.array(text) })),
  trends: z.array(z.object({ series: text, chart: text, text })),
});

export type Read<T> =
  | { readonly kind: "read"; readonly value: T }
  /** @field what - where and what: `rows.0.run.scores.0.n: ...` */
  | { readonly kind: "not one"; readonly what: string };

export function readSummary(input: unknown): Read<NightSummary> {
  return read<NightSummary>(summary, input);
}

export function readRowResult(input: unknown): Read<RowResult> {
  return read<RowResult>(rowResult, input);
}

function read<T>(schema: z.ZodType<T>, input: unknown): Read<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return { kind: "read", value: parsed.data };
  const [first] = parsed.error.issues;
  return { kind: "not one", what: `${first?.path.join(".") ?? ""}: ${first?.message ?? ""}` };
}
