/** Reads `nightly.yaml`. The one place where a row's defaults are. */
import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { didYouMean } from "../nearest.ts";
import { canonicalJson } from "../reports/json.ts";
import type { JsonObject } from "../reports/json.ts";
import { DEFAULT_FALSE_ALARM_NIGHTS } from "../reports/history/trend.ts";
import { isPostgres } from "../reports/history/dialects.ts";
import {
  checkNames,
  readCheckedYaml,
  readSettings,
  resolveBaseline,
  resolveVariants,
  settleFolders,
} from "../runners/config/index.ts";
import { getTask } from "../tasks/index.ts";
import type { NightlyConfig, NightlyRow, UserNightly, UserRow, UserRowSettings, UserThreshold } from "./config.ts";
import { checkNightly } from "./schema.ts";

/** Folders in the file are relative to where it lies. @throws UserError with line and column */
export function loadNightly(path: string): NightlyConfig {
  return parseNightly(readSettings(path, "nightly.yaml"), path);
}

export function parseNightly(text: string, file: string): NightlyConfig {
  const { value, fail } = readCheckedYaml(text, { file, help: "docs/nightly.md", check: checkNightly });
  const { history, output = "nightly", alarm = {}, defaults = {} } = value;
  const folder = dirname(file);
  if (history !== undefined && /^postgres(?:ql)?:\/\/[^/@]*:[^@]*@|[?&]password=/i.test(history))
    fail(
      ["history"],
      "a password would stand here; leave it out and set PGPASSWORD, or put the URL into FUSECHECK_HISTORY",
    );
  checkUnique(value, fail);
  const rows = value.rows.map((row, index) =>
    resolveRow(row, defaults, folder, (setting, what) => fail([...whereSet(row, index, setting)], what)),
  );
  const falseAlarmNights = alarm.false_alarm_nights ?? DEFAULT_FALSE_ALARM_NIGHTS;
  // What the rows ask decides, not where this machine keeps its files.
  const asked = { false_alarm_nights: falseAlarmNights, defaults, rows: value.rows } as unknown as JsonObject;
  return {
    file,
    history: history === undefined || isPostgres(history) ? history : resolve(folder, history),
    output: resolve(folder, output),
    falseAlarmNights,
    rows,
    sha256: createHash("sha256").update(canonicalJson(asked)).digest("hex"),
  };
}

type Report = (setting: string, what: string) => never;

/** A setting's path: in the row, or among the defaults where it comes from there. */
function whereSet(row: UserRow, index: number, setting: string): readonly string[] {
  const inRow = ["rows", String(index)];
  return Object.hasOwn(row, setting) ? [...inRow, setting] : inRow;
}

function checkUnique({ rows }: UserNightly, fail: (path: readonly string[], what: string) => never): void {
  const seen = new Set<string>();
  for (const [index, { name }] of rows.entries()) {
    // Some file systems take both for the same folder.
    const folder = name.toLowerCase();
    if (seen.has(folder)) fail(["rows", String(index), "name"], `another row is called "${name}" already`);
    seen.add(folder);
  }
}

function resolveRow(row: UserRow, defaults: UserRowSettings, folder: string, report: Report): NightlyRow {
  const merged: UserRow = { ...defaults, ...row };
  const { task, fused = true, data, capture, engine, model } = merged;
  if (task === undefined) return report("task", `row ${row.name} has no task, such as gsm8k`);
  checkTask(task, merged.threshold, report);
  const named = engine ?? (merged.launch === undefined && merged.variants === undefined ? "embedded" : "openai");
  const embedded = named === "embedded";
  const settled = settleFolders(merged, folder);
  if (embedded) checkEmbedded(merged, report);
  else {
    checkNames(merged, report);
    try {
      if (fused) resolveVariants(settled);
      else resolveBaseline(settled);
    } catch (error) {
      report("variants", `row ${row.name}: ${(error as Error).message}`);
    }
  }
  checkReruns(merged, fused, report);
  return {
    ...settled,
    task,
    fused,
    embedded,
    ...(data !== undefined && { data: resolve(folder, data) }),
    ...(capture !== undefined && { capture: resolve(folder, capture) }),
    ...(embedded && model !== undefined && { model: resolve(folder, model) }),
  };
}

function checkTask(task: string, threshold: UserThreshold | undefined, report: Report): void {
  let filters: readonly string[];
  try {
    filters = getTask(task).filters.map(({ name }) => name);
  } catch (error) {
    return report("task", (error as Error).message);
  }
  const unknown =
    typeof threshold === "object" ? Object.keys(threshold).find((name) => !filters.includes(name)) : undefined;
  if (unknown === undefined) return;
  report(
    "threshold",
    `${task} has no filter "${unknown}"${didYouMean(unknown, filters)}; it has: ${filters.join(", ")}`,
  );
}

/** Settings that mean nothing to the embedded engine. */
const SERVERS_ONLY = [
  "switch",
  "launch",
  "variants",
  "parallel",
  "prefix_caching",
  "deterministic",
  "clear_cache",
  "timeouts",
  "api_key_env",
  "header_env",
  "capture",
  "stream",
  "ignore_eos",
  "extra_body",
  "allow_differences",
] as const satisfies readonly (keyof UserRowSettings)[];

function checkEmbedded(row: UserRow, report: Report): void {
  const meaningless = SERVERS_ONLY.find((name) => row[name] !== undefined);
  if (meaningless === undefined) return;
  report(meaningless, `row ${row.name}: ${meaningless} is for servers; name an engine, such as vllm`);
}

/** A re-run must ask something new: under another seed other examples are drawn, or other tokens. */
function checkReruns(
  { name, rerun_inconclusive: reruns, margin, num_fewshot: shots, temperature = 0 }: UserRow,
  fused: boolean,
  report: Report,
): void {
  if (reruns === undefined) return;
  if (!fused || margin === undefined)
    report("rerun_inconclusive", `row ${name} is never inconclusive: that takes fused and a margin`);
  if (shots === 0 && temperature === 0)
    report(
      "rerun_inconclusive",
      `row ${name} would be asked the same prompts again, greedily: give it num_fewshot above 0, or a temperature`,
    );
}
