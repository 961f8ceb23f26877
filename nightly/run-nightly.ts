/** A night from beginning to end: row after row, then the history and the summary. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Progress } from "../comparison/progress.ts";
import { makeFolder, fileProblem, writeFileAtomic } from "../reports/files.ts";
import { lockFolder } from "../reports/folder-lock.ts";
import { openHistory } from "../reports/history/history.ts";
import type { HistoryRun } from "../reports/history/record.ts";
import { canonicalJson, jsonFileText } from "../reports/json.ts";
import type { JsonObject } from "../reports/json.ts";
import { VERSION } from "../version.ts";
import type { NightlyConfig, NightlyRow } from "./config.ts";
import { runRow } from "./run-row.ts";
import { rowsOf } from "./shard.ts";
import type { Shard } from "./shard.ts";
import { renderSummary } from "./summary-markdown.ts";
import { readRowResult } from "./summary-schema.ts";
import { summaryName } from "./summary.ts";
import type { NightSummary, RowResult } from "./summary.ts";
import { writeHistory } from "./write-history.ts";
import type { HistoryWritten } from "./write-history.ts";

export interface RunNightlyOptions {
  readonly config: NightlyConfig;
  readonly night: string;
  readonly shard: Shard | null;
  /** Undefined where no history is kept. */
  readonly history: string | undefined;
  readonly command: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** A row has its result. */
  readonly onRow: (result: RowResult, number: number, of: number) => void;
}

/** @throws InterruptedError; UserError where nothing can be run at all, such as a history that cannot be opened */
export async function runNightly(options: RunNightlyOptions): Promise<NightSummary> {
  const { config, night, shard, onRow } = options;
  const folder = join(config.output, night);
  const rows = shard === null ? config.rows : rowsOf(config.rows, shard);
  // A history that cannot be written is said before the night, not after it.
  if (options.history !== undefined && shard === null) await (await openHistory(options.history)).close();
  await makeFolder(join(folder, RESULTS)).catch((error: unknown) => {
    throw fileProblem(error, folder, "cannot create");
  });
  // Two processes on one night would each find the other's rows taken, and the later one would write that down.
  const lock = await lockFolder(join(folder, summaryName(shard).replace(/json$/, "lock")));
  try {
    const results: RowResult[] = [];
    for (const [index, row] of rows.entries()) {
      const result = (await earlierResult(folder, row)) ?? (await newResult(folder, row, options));
      results.push(result);
      onRow(result, index + 1, rows.length);
    }
    const { sha256, falseAlarmNights } = config;
    const names = config.rows.map(({ name }) => name);
    return await finishNight({
      folder,
      night,
      shard,
      config: { sha256, false_alarm_nights: falseAlarmNights, rows: names },
      rows: results,
      history: options.history,
    });
  } finally {
    await lock.release();
  }
}

export interface FinishOptions extends Pick<NightSummary, "night" | "shard" | "config" | "rows"> {
  /** Where the summary goes, and what the runs' folders are relative to. */
  readonly folder: string;
  readonly history: string | undefined;
}

/** Writes the history and the summary. */
export async function finishNight({
  folder,
  night,
  shard,
  config,
  rows,
  history,
}: FinishOptions): Promise<NightSummary> {
  const runs = rows.flatMap(({ run }) => (run === null ? [] : [{ ...run, folder: join(folder, run.folder) }]));
  const written = await writtenHistory(history, shard, runs, config.false_alarm_nights);
  const summary: NightSummary = { schema: 1, fusecheck: VERSION, night, config, shard, rows, ...written };
  const name = summaryName(shard);
  await writeFileAtomic(join(folder, name), jsonFileText(summary));
  await writeFileAtomic(join(folder, name.replace(/json$/, "md")), renderSummary(summary));
  return summary;
}

async function writtenHistory(
  place: string | undefined,
  shard: Shard | null,
  runs: readonly HistoryRun[],
  falseAlarmNights: number,
): Promise<HistoryWritten> {
  const none = (reason: string): HistoryWritten => ({ history: { kind: "none", reason }, alarms: [], trends: [] });
  if (shard !== null) return none("a shard: fusecheck merge writes the history of all");
  if (place === undefined) return none("no history is kept");
  if (runs.length === 0) return none("no row ran to its end");
  return writeHistory(place, runs, { falseAlarmNights });
}

/** Rows that are through, one file each, so that a night that was cut off goes on behind them. */
const RESULTS = "rows";

function resultFile(folder: string, { name }: NightlyRow): string {
  return join(folder, RESULTS, `${name}.json`);
}

function hashOf(row: NightlyRow): string {
  return createHash("sha256")
    .update(canonicalJson(JSON.parse(JSON.stringify(row)) as JsonObject))
    .digest("hex");
}

/** Of the same row; none where docs or the row failed: the same command tries these again. */
async function earlierResult(folder: string, row: NightlyRow): Promise<RowResult | undefined> {
  try {
    const { settings, result } = JSON.parse(await readFile(resultFile(folder, row), "utf8")) as Partial<Kept>;
    const checked = readRowResult(result);
    if (settings !== hashOf(row) || checked.kind === "not one") return undefined;
    const { outcome } = checked.value;
    return outcome === "failed" || outcome === "incomplete" ? undefined : checked.value;
  } catch {
    // Not there yet, or not whole: the row is run, which asks nothing that its folder holds.
    return undefined;
  }
}

/** Says of which row it speaks. */
function progressOf({ name }: NightlyRow, progress: Progress): Progress {
  return {
    start: (stretch) => progress.start(`${name}, ${stretch}`),
    end: () => progress.end(),
    note: (text) => progress.note(`${name}, ${text}`),
  };
}

interface Kept {
  readonly settings: string;
  readonly result: RowResult;
}

async function newResult(folder: string, row: NightlyRow, options: RunNightlyOptions): Promise<RowResult> {
  const { night, command, signal } = options;
  const progress = progressOf(row, options.progress);
  const result = await runRow(row, { folder, night, command, signal, progress });
  const kept: Kept = { settings: hashOf(row), result };
  await writeFileAtomic(resultFile(folder, row), jsonFileText(kept));
  return result;
}
