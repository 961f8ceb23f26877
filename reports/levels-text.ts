/** The four levels of parity, row by row. */
import type { LevelRow } from "./comparison.ts";
import { prose, visible } from "./safe-text.ts";

const LEVELS: Readonly<Record<LevelRow["level"], string>> = {
  1: "routing data",
  2: "selection",
  3: "what follows",
  4: "answers",
};

/** Lines of plain text. */
export function levelLines(levels: readonly LevelRow[]): string[] {
  const width = Math.max(0, ...levels.map(({ what }) => what.length));
  return levels.map(({ level, what, outcome, found, threshold, floor }) => {
    const held = threshold === null ? "" : ` [${visible(threshold, 200)}]`;
    const measured = floor === undefined ? "" : `; two runs of the baseline: ${visible(floor, 400)}`;
    const head = `${level}  ${outcome.padEnd("not judged".length)}  ${visible(what).padEnd(width)}`;
    return `${head}  ${visible(found, 400)}${measured}${held}`;
  });
}

/** Rows of a Markdown table, behind its header. */
export const LEVEL_HEADER: readonly string[] = ["Level", "What", "Outcome", "Found", "Held to"];

export function levelCells({ level, what, outcome, found, threshold, floor }: LevelRow): string[] {
  const verdict = outcome === "not judged" ? outcome : `**${outcome}**`;
  const both = floor === undefined ? prose(found) : `${prose(found)}; two runs of the baseline: ${prose(floor)}`;
  return [`${level} ${LEVELS[level]}`, prose(what), verdict, both, threshold === null ? "-" : prose(threshold)];
}
