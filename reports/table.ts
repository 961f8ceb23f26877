/**
 * lm-eval's printed results table, to the character.
 *
 * lm-eval builds rows of strings and hands them to pytablewriter, which reads numeric strings back and gives every number
 * of a column the same count of decimals: the most that any of them needs. So 0.9600 and 0.9700 print as 0.96 and 0.97,
 * and 1.0000 next to 0.5800 prints as 1.00.
 */
import { formatFixed } from "./python-number.ts";
import { PythonFloat, pythonRepr, type PythonValue } from "./python-repr.ts";

/**
 * What one task scored: `"<metric>,<filter>"` and `"<metric>_stderr,<filter>"` to a value, plus `name`, `alias` and
 * `sample_len`. A standard error that does not exist (n = 1) is `"N/A"`.
 */
export type LmEvalTaskResult = Readonly<Record<string, number | string>>;

/** The part of lm-eval's results object that its table shows; keys are task (or group) names. */
export interface LmEvalTableInput {
  readonly results: Readonly<Record<string, LmEvalTaskResult>>;
  /** Aggregates over groups of tasks, printed as a second table headed `Groups`. */
  readonly groups?: Readonly<Record<string, LmEvalTaskResult>>;
  /** Which tasks (or groups) each group holds; `{}` when no group was run. */
  readonly group_subtasks: Readonly<Record<string, readonly string[]>>;
  readonly versions: Readonly<Record<string, number | string>>;
  readonly "n-shot": Readonly<Record<string, number>>;
  /** Per metric: larger is better (↑), smaller is better (↓), or neither (no arrow). */
  readonly higher_is_better: Readonly<Record<string, Readonly<Record<string, boolean | null>>>>;
}

const NOT_METRICS: ReadonlySet<string> = new Set(["name", "alias", "sample_len", "sample_count"]);

/** lm-eval's Markdown table; ends with one newline (lm-eval's `print` adds another). */
export function makeTable(input: LmEvalTableInput, column: "results" | "groups" = "results"): string {
  const header = [
    column === "groups" ? "Groups" : "Tasks",
    "Version",
    "Filter",
    "n-shot",
    "Metric",
    "",
    "Value",
    "",
    "Stderr",
  ];
  const shown = (column === "groups" ? input.groups : input.results) ?? {};
  const rows = orderTasks(shown, input.group_subtasks).flatMap(({ name, depth }) =>
    taskRows(input, shown[name]!, name, depth),
  );
  return renderColumns(header, rows);
}

/** What the first line of lm-eval's standard output states. */
export interface HeaderLineInput {
  readonly model: string;
  readonly modelArgs: Readonly<Record<string, PythonValue>>;
  readonly genKwargs: Readonly<Record<string, PythonValue>>;
  /** Docs asked for; `null` when all. lm-eval keeps it as a float: 100 prints as `100.0`. */
  readonly limit: number | null;
  /** As given on the command line; `null` when the task's own default was used. */
  readonly numFewshot: number | null;
  readonly batchSize: number | string;
}

/** lm-eval's first line: the model, its arguments and the settings, as Python prints them; no newline. */
export function makeHeaderLine(input: HeaderLineInput): string {
  const limit = input.limit === null ? null : new PythonFloat(input.limit);
  return (
    `${input.model} (${pythonRepr(input.modelArgs)}), gen_kwargs: (${pythonRepr(input.genKwargs)}), ` +
    `limit: ${pythonRepr(limit)}, num_fewshot: ${pythonRepr(input.numFewshot)}, batch_size: ${input.batchSize}`
  );
}

interface Place {
  readonly name: string;
  readonly depth: number;
}

/** Groups first, each followed by its members one level deeper, then what is in no group; each level sorted by name. */
function orderTasks(
  shown: Readonly<Record<string, LmEvalTaskResult>>,
  subtasks: Readonly<Record<string, readonly string[]>>,
): Place[] {
  const members = new Set(Object.values(subtasks).flat());
  const seen = new Set<string>();
  const places: Place[] = [];
  const walk = (name: string, depth: number): void => {
    if (seen.has(name)) return;
    seen.add(name);
    if (Object.hasOwn(shown, name)) places.push({ name, depth });
    const children = Object.hasOwn(subtasks, name) ? subtasks[name]! : [];
    for (const child of [...children].toSorted()) walk(child, depth + 1);
  };
  for (const root of Object.keys(subtasks)
    .filter((name) => !members.has(name))
    .toSorted())
    walk(root, 0);
  for (const name of Object.keys(shown).toSorted()) walk(name, 0);
  return places;
}

function taskRows(input: LmEvalTableInput, result: LmEvalTaskResult, name: string, depth: number): Cell[][] {
  const alias = String(own(result, "alias") ?? name);
  const version = own(input.versions, name) ?? "    N/A";
  const shots = String(own(input["n-shot"], name) ?? " ");
  const better = own(input.higher_is_better, name) ?? {};
  const rows: Cell[][] = [];
  for (const key of Object.keys(result).toSorted()) {
    const comma = key.indexOf(",");
    const metric = comma < 0 ? key : key.slice(0, comma);
    const filter = comma < 0 ? "" : key.slice(comma + 1);
    if (NOT_METRICS.has(key) || metric.endsWith("_stderr")) continue;
    const stderr = own(result, `${metric}_stderr,${filter}`);
    const first = rows.length === 0;
    rows.push([
      first ? (depth === 0 ? alias : `${" ".repeat(depth)}- ${alias}`) : "",
      first ? version : "",
      filter,
      shots,
      metric,
      arrow(own(better, metric)),
      printed(result[key]!),
      stderr === undefined ? "" : "±",
      stderr === undefined ? "" : stderr === "N/A" ? "   N/A" : printed(stderr),
    ]);
  }
  return rows;
}

function arrow(higherIsBetter: boolean | null | undefined): string {
  if (higherIsBetter === true) return "↑";
  return higherIsBetter === false ? "↓" : "";
}

function printed(value: number | string): string {
  return typeof value === "number" ? formatFixed(value, 4) : value;
}

/** A cell as lm-eval hands it over: its numbers are strings, formatted already, but for versions. */
type Cell = string | number;

const NUMERIC = /^[+-]?\d+(?:\.\d+)?$/;

/**
 * pytablewriter's Markdown: each column is as wide as its widest cell (at least 3). In a column of numbers (blanks
 * allowed) every number has the column's decimals and stands to the right. In a column that also holds text, whole
 * numbers are printed without decimals, numbers stand to the right and text to the left; and when its first cell is
 * text, numeric strings are text too.
 */
function renderColumns(header: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const columns = header.map((title, index) => {
    const cells = rows.map((row) => row[index]!);
    const textFirst = isText(cells[0] ?? "");
    const isNumber = (cell: Cell): boolean => typeof cell === "number" || (!textFirst && NUMERIC.test(cell));
    const decimals = Math.max(0, ...cells.filter(isNumber).map(significantDecimals));
    const hasText = cells.some((cell) => cell !== "" && !isNumber(cell));
    const texts = cells.map((cell) => {
      if (!isNumber(cell)) return String(cell);
      return withDecimals(String(cell), hasText && significantDecimals(cell) === 0 ? 0 : decimals);
    });
    const width = Math.max(3, title.length, ...texts.map((text) => text.length));
    const numeric = !hasText && cells.some((cell) => cell !== "");
    return {
      title: centre(title, width),
      rule: numeric ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
      cells: texts.map((text, row) => (isNumber(cells[row]!) ? text.padStart(width) : text.padEnd(width))),
    };
  });
  return [
    tableLine(columns.map(({ title }) => title)),
    tableLine(columns.map(({ rule }) => rule)),
    ...rows.map((_, row) => tableLine(columns.map(({ cells }) => cells[row]!))),
  ].join("");
}

function isText(cell: Cell): boolean {
  return typeof cell === "string" && cell !== "" && !NUMERIC.test(cell);
}

function tableLine(cells: readonly string[]): string {
  return `|${cells.join("|")}|\n`;
}

/** Decimals without the zeros at the end. */
function significantDecimals(number: Cell): number {
  const [, fraction = ""] = String(number).split(".");
  return fraction.replace(/0+$/, "").length;
}

/** The same number with as many decimals as its column has: zeros are added or dropped, digits never; -0 loses its sign. */
function withDecimals(number: string, decimals: number): string {
  const [whole = "", fraction = ""] = (/^[+-][0.]*$/.test(number) ? number.slice(1) : number).split(".");
  return decimals === 0 ? whole : `${whole}.${fraction.padEnd(decimals, "0").slice(0, decimals)}`;
}

function centre(text: string, width: number): string {
  const left = Math.floor((width - text.length) / 2);
  return text.padStart(text.length + left).padEnd(width);
}

/** A key of its own, so that a task named like a member of `Object.prototype` finds nothing there. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
