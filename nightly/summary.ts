/** What became of a night: `nightly.json`. Plain JSON throughout. */
import type { HistoryRun } from "../reports/history/record.ts";
import type { FilterDecision } from "./decide.ts";
import type { Shard } from "./shard.ts";

/**
 * - `held`: all that was asked for.
 * - `regressed`: fused is worse, routing parity is broken, or exact match lies below its threshold.
 * - `inconclusive`: the docs could not show that fused is no more than the margin worse.
 * - `incomplete`: docs failed; the same command asks for them again.
 * - `failed`: the row did not run to its end: nothing was compared.
 */
export type RowOutcome = "held" | "regressed" | "inconclusive" | "incomplete" | "failed";

export interface RowResult {
  readonly name: string;
  readonly outcome: RowOutcome;
  readonly reasons: readonly string[];
  /** By filter; empty where nothing was compared or no margin is set. */
  readonly decisions: readonly FilterDecision[];
  /** The run, and then its re-runs; relative to the night's folder. */
  readonly folders: readonly string[];
  /** Wall clock of this session. */
  readonly seconds: number;
  /** The night's run as the history keeps it; null where there was none. */
  readonly run: HistoryRun | null;
}

/** A series that left its own level. */
export interface Alarm {
  /** `kimi gsm8k vllm fused strict-match #1f3c90` */
  readonly series: string;
  readonly row: string;
  readonly kind: "loss" | "gain";
  /** In words: level, change, since when. */
  readonly text: string;
  /** What changed between the last good night and the first bad one. */
  readonly hint: readonly string[];
}

/** How a series went on, for the reader. */
export interface SeriesLine {
  readonly series: string;
  /** Its last nights as a row of bars. */
  readonly chart: string;
  readonly text: string;
}

/** Whether the night was written down. */
export type HistoryState =
  | { readonly kind: "none"; readonly reason: string }
  | { readonly kind: "written"; readonly place: string; readonly series: number }
  | { readonly kind: "lost"; readonly place: string; readonly reason: string };

export interface NightSummary {
  readonly schema: 1;
  readonly fusecheck: string;
  /** As in the folder's name: `2026-11-25`, unless `--night` says otherwise. */
  readonly night: string;
  readonly config: {
    readonly sha256: string;
    readonly false_alarm_nights: number;
    /** All rows, whatever the shard. */
    readonly rows: readonly string[];
  };
  readonly shard: Shard | null;
  readonly rows: readonly RowResult[];
  readonly history: HistoryState;
  readonly alarms: readonly Alarm[];
  /** Empty where no history is kept. */
  readonly trends: readonly SeriesLine[];
}

/** By what the night's exit code is chosen: the first of these that there is. */
export function exitCodeOfNight({ rows, alarms, history }: NightSummary): 0 | 1 | 3 | 4 {
  const has = (...outcomes: readonly RowOutcome[]): boolean => rows.some(({ outcome }) => outcomes.includes(outcome));
  if (has("regressed") || alarms.some(({ kind }) => kind === "loss")) return 1;
  if (has("failed", "incomplete") || history.kind === "lost") return 3;
  return has("inconclusive") ? 4 : 0;
}

/** `nightly.json`, or `nightly.shard-2-of-8.json`. */
export function summaryName(shard: Shard | null): string {
  return shard === null ? "nightly.json" : `nightly.shard-${shard.index}-of-${shard.of}.json`;
}
