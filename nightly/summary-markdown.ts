/** A night for people: `nightly.md`, fit for a pull request or a job's summary. */
import { points } from "../reports/number-text.ts";
import { codeCell, prose } from "../reports/safe-text.ts";
import type { NightSummary, RowOutcome, RowResult } from "./summary.ts";

const WORDS: Readonly<Record<RowOutcome, string>> = {
  held: "held",
  regressed: "**REGRESSED**",
  inconclusive: "inconclusive",
  incomplete: "**incomplete**",
  failed: "**did not run**",
};

/** Ends with a newline. */
export function renderSummary(summary: NightSummary): string {
  const { night, shard, rows } = summary;
  const part = shard === null ? "" : `, shard ${shard.index} of ${shard.of}`;
  const blocks = [
    `# Night ${prose(night)}${part}: ${headline(summary)}`,
    rowTable(rows),
    ...rows.flatMap(reasonsOf),
    ...alarmBlocks(summary),
    trendTable(summary),
    historyLine(summary),
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

/** `2 of 3 rows held, 1 did not run` */
function headline({ rows, alarms }: NightSummary): string {
  const counted = (outcome: RowOutcome, words: string): string[] => {
    const count = rows.filter((row) => row.outcome === outcome).length;
    return count === 0 ? [] : [`${count} ${words}`];
  };
  const held = rows.filter(({ outcome }) => outcome === "held").length;
  const losses = alarms.filter(({ kind }) => kind === "loss").length;
  return [
    `${held} of ${rows.length} ${rows.length === 1 ? "row" : "rows"} held`,
    ...counted("regressed", "regressed"),
    ...counted("inconclusive", "inconclusive"),
    ...counted("incomplete", "incomplete"),
    ...counted("failed", "did not run"),
    ...(losses === 0 ? [] : [`${losses} drift ${losses === 1 ? "alarm" : "alarms"}`]),
  ].join(", ");
}

function rowTable(rows: readonly RowResult[]): string {
  if (rows.length === 0) return "No rows.";
  const lines = rows.map(({ name, outcome, run, decisions, seconds }) => {
    const scores = (run?.scores ?? []).map(({ variant, filter, correct, n }) =>
      codeCell(`${variant} ${filter} ${(correct / n).toFixed(4)} (${n})`),
    );
    const differences = decisions.map(({ filter, delta, low, high }) =>
      codeCell(`${filter} ${points(delta)} (${points(low)} to ${points(high)})`),
    );
    const cells = [
      prose(name),
      WORDS[outcome],
      scores.join("<br>"),
      differences.join("<br>"),
      `${Math.round(seconds)} s`,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return [
    "| row | outcome | exact match (docs) | fused - baseline, points | time |",
    "|---|---|---|---|--:|",
    ...lines,
  ].join("\n");
}

function reasonsOf({ name, outcome, reasons }: RowResult): string[] {
  if (outcome === "held") return [];
  const lines = reasons.map((reason) => `- ${prose(reason.split("\n")[0] ?? "", 600)}`);
  return [`${prose(name)}, ${WORDS[outcome]}:\n\n${lines.join("\n")}`];
}

function alarmBlocks({ alarms }: NightSummary): string[] {
  return alarms.map(({ series, kind, text, hint }) => {
    const title = kind === "loss" ? "**Drift alarm**" : "Gain";
    return [`${title}: ${codeCell(series, 200)}`, "", ...[text, ...hint].map((line) => `- ${prose(line.trim())}`)].join(
      "\n",
    );
  });
}

function trendTable({ trends }: NightSummary): string {
  if (trends.length === 0) return "";
  const lines = trends.map(
    ({ series, chart, text }) => `| ${codeCell(series, 200)} | ${codeCell(chart, 200)} | ${prose(text)} |`,
  );
  return ["| series | last nights | trend |", "|---|---|---|", ...lines].join("\n");
}

function historyLine({ history, config: { false_alarm_nights: nights } }: NightSummary): string {
  if (history.kind === "none") return `History: ${prose(history.reason)}.`;
  if (history.kind === "lost") return `**The history was not written**: ${prose(history.reason, 600)}`;
  const rate = `about one false drift alarm in ${nights.toLocaleString("en-US")} nights over all ${history.series} series`;
  return `History: written to ${codeCell(history.place, 200)}; ${rate}.`;
}
