/** The self-test's result as a table, for people and for the README. */
import { ANSWERS_MEASURED } from "./answers-measured.ts";
import type { SelfTest, SelfTestRow } from "./self-test.ts";

const HEAD = ["fault", "level", "caught by", "input", "answers alone"] as const;

/** As Markdown, without anything that differs from run to run. */
export function selfTestMarkdown({ rows }: SelfTest): string {
  const lines = rows.map((row) => `| ${cells(row).join(" | ")} |`);
  return [`| ${HEAD.join(" | ")} |`, "|---|---|---|---|---|", ...lines].join("\n");
}

export function selfTestText({ rows, seconds, wrong }: SelfTest): string[] {
  const table = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const faults = rows.filter(({ kind }) => kind === "fault").length;
  return [
    ...table.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    ),
    "",
    `${faults} faults, ${rows.length - faults} legal variations, ${seconds.toFixed(1)} s`,
    wrong.length === 0
      ? "Held: every fault caught, no legal variation flagged."
      : `Wrong: ${wrong.map(({ name, kind }) => `${name} (${kind === "fault" ? "missed" : "flagged"})`).join("; ")}.`,
  ];
}

function cells(row: SelfTestRow): [string, string, string, string, string] {
  const { name, seen, note, kind, level, caught, nearTies } = row;
  const details = [seen, note].filter((each) => each !== undefined).join("; ");
  const excused = nearTies > 0 ? ` (${nearTies} near-tie${nearTies === 1 ? "" : "s"})` : "";
  const missed = kind === "fault" ? "**missed**" : `legal: passes${excused}`;
  return [
    details === "" ? name : `${name} (${details})`,
    `${level}`,
    caught === undefined ? missed : caught.by.join(", "),
    caught === undefined ? "all cases" : `${count(caught.cases, "case")}, ${count(caught.entries, "entry", "entries")}`,
    ANSWERS_MEASURED[name] ?? "",
  ];
}

function count(value: number, one: string, many = `${one}s`): string {
  return `${value.toLocaleString("en-US")} ${value === 1 ? one : many}`;
}
