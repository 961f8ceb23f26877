/** Trends for people. */
import { counted, points } from "../number-text.ts";
import { visible } from "../safe-text.ts";
import { textTable } from "../text-table.ts";
import type { HistoryNight, Series } from "./history.ts";
import type { BisectHint, Trend } from "./trend.ts";

/** Nights in the table; the others are in `--json`. */
const NIGHTS_SHOWN = 14;
const SPARKS = "▁▂▃▄▅▆▇█";
const SPARK_NIGHTS = 60;

/** The series on one line: `kimi gsm8k vllm fused strict-match #1f3c90`; the last tells other settings of one name apart. */
export function seriesTitle({ name, model, engine, task, variant, filter, protocol }: Series): string {
  const words = name === model ? [name] : [name, `(${model})`];
  return visible([...words, task, engine, variant, filter, `#${protocol.slice(0, 6)}`].join(" "), 200);
}

/** In one sentence, for a summary: level, band, and whether the series left it. */
export function driftSentence({ drift, judged }: Pick<Trend, "drift" | "judged">): string {
  const last = judged.at(-1);
  if (drift.kind === "too short" || last === undefined)
    return `${counted(judged.length, "night")}: nothing to compare with yet`;
  const { mean, low, high, nights } = drift.level;
  const level = `${share(mean)} over ${counted(nights, "night")}, next night within ${share(low)} to ${share(high)}`;
  if (drift.kind === "steady") return `steady: ${level}`;
  const bad = judged[drift.firstBad]!;
  return `${drift.kind.toUpperCase()} of ${points(drift.change)} points since ${day(bad)}: ${level} before that`;
}

export function trendText(trend: Trend): string {
  const { nights, judged, drift, hint } = trend;
  const lines = [seriesTitle(trend.series), `  ${driftSentence(trend)}`];
  if (judged.length > 1) lines.push(`  ${sparkline(judged.slice(-SPARK_NIGHTS))}`);
  const since = drift.kind === "loss" || drift.kind === "gain" ? judged[drift.firstBad]!.created : undefined;
  const rows = nights
    .slice(-NIGHTS_SHOWN)
    .map((night) => [
      day(night),
      share(night.correct / Math.max(1, night.n)),
      String(night.correct),
      String(night.n),
      night.complete ? (since !== undefined && night.created >= since ? drift.kind : "") : "incomplete: not counted",
    ]);
  const table = textTable(["night", "exact match", "right", "docs", ""], rows).split("\n");
  lines.push(...table.map((line) => `  ${line}`.trimEnd()));
  if (nights.length > NIGHTS_SHOWN) lines.push(`  (the last ${NIGHTS_SHOWN} of ${nights.length}; all with --json)`);
  if (hint !== undefined) lines.push(...hintLines(hint).map((line) => `  ${line}`));
  return lines.join("\n");
}

export function hintLines({ lastGood, firstBad, changed }: BisectHint): string[] {
  return [
    `last good: ${lastGood.created}, ${visible(lastGood.folder, 300)}`,
    `first bad: ${firstBad.created}, ${visible(firstBad.folder, 300)}`,
    changed.length === 0 ? "of all that was recorded, nothing changed between them" : "changed between them:",
    ...changed.map(
      ({ name, before, now }) => `  ${visible(name, 100)}: ${visible(before, 200)} -> ${visible(now, 200)}`,
    ),
  ];
}

function share(value: number): string {
  return value.toFixed(4);
}

function day({ created }: HistoryNight): string {
  return created.slice(0, 16).replace("T", " ");
}

/** A row of bars between the lowest and the highest night, and what these are. */
export function sparkline(nights: readonly HistoryNight[]): string {
  const shares = nights.map(({ correct, n }) => correct / n);
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  const bars = shares.map((each) => SPARKS[high === low ? 3 : Math.round(((each - low) / (high - low)) * 7)]);
  return `${bars.join("")}  ${share(low)} to ${share(high)}`;
}
