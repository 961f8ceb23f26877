/** A run's findings as plain text for the terminal. */
import type { Comparison, VariantSummary } from "./comparison.ts";
import {
  cutWarnings,
  differenceText,
  flippedIds,
  logprobSentence,
  rates,
  routingSentences,
  verdictWord,
} from "./findings.ts";
import { count, counted, duration } from "./number-text.ts";
import { visible } from "./safe-text.ts";
import { levelLines, pictureText } from "./picture-text.ts";
import { RUN_SIDES } from "./picture-words.ts";
import { makeTable } from "./table.ts";

const IDS_LISTED = 20;

/** lm-eval's table per variant, then the comparison where there is one, then the verdict; ends with a newline. */
export function renderConsole(comparison: Comparison): string {
  const { variants, verdict } = comparison;
  const blocks = variants.map(({ name, table }) => `${visible(name)}\n${makeTable(table).trimEnd()}`);
  if (variants.length > 1) blocks.push(pairedBlock(comparison), routingBlock(comparison), ...pictureBlocks(comparison));
  const warnings = cutWarnings(variants).map((warning) => `Warning: ${visible(warning)}`);
  blocks.push([...variants.map(variantLine), ...warnings].join("\n"));
  const reasons = verdict.reasons.map((reason) => `  ${visible(reason, 400)}`);
  blocks.push([verdictWord(comparison), ...reasons].join("\n"));
  return `${blocks.join("\n\n")}\n`;
}

/** What `--quiet` leaves: the verdict in one line, or the table of the one variant that there is. */
export function renderQuiet(comparison: Comparison): string {
  const { variants, verdict } = comparison;
  const line = [verdictWord(comparison), verdict.reasons.map((reason) => visible(reason, 400)).join("; ")]
    .join(" ")
    .trim();
  const [only, ...others] = variants;
  return only !== undefined && others.length === 0 ? `${makeTable(only.table)}${line}\n` : `${line}\n`;
}

function pairedBlock({ paired, flips }: Comparison): string {
  const width = Math.max(0, ...paired.map(({ filter }) => filter.length));
  const lines = paired.map((pair) => {
    const { delta, standardError, interval } = differenceText(pair);
    return (
      `  ${visible(pair.filter).padEnd(width)}  ${delta} points, SE ${standardError}, 95 % interval ${interval}\n` +
      `  ${" ".repeat(width)}  of ${counted(pair.n, "doc")}: both right ${count(pair.bothRight)}, only baseline ${count(pair.onlyBaseline)}, ` +
      `only fused ${count(pair.onlyFused)}, both wrong ${count(pair.bothWrong)}`
    );
  });
  const ids = flippedIds(flips);
  const rest = ids.length > IDS_LISTED ? ` and ${count(ids.length - IDS_LISTED)} more` : "";
  const flipped = ids.length === 0 ? "none" : `${ids.slice(0, IDS_LISTED).join(", ")}${rest}`;
  return ["Paired difference, fused - baseline", ...lines, `  docs that flipped: ${flipped}`].join("\n");
}

function routingBlock({ parity, logprobs }: Comparison): string {
  const lines = parity.kind === "judged" ? routingSentences(parity) : [`Not judged: ${visible(parity.reason, 400)}.`];
  if (parity.kind === "judged" && parity.invariants.firstBroken !== null) {
    lines.push(`First broken: ${visible(parity.invariants.firstBroken, 400)}.`);
  }
  lines.push(
    logprobs.kind === "judged"
      ? logprobSentence(logprobs)
      : `Log-probabilities were not judged: ${visible(logprobs.reason, 400)}.`,
  );
  return ["Routing parity", ...lines.map((line) => `  ${line}`)].join("\n");
}

function pictureBlocks({ parity, levels }: Comparison): string[] {
  const picture = parity.kind === "judged" ? parity.picture : undefined;
  return [
    ...(picture === undefined || parity.kind === "not judged" ? [] : pictureText(picture, parity.routing, RUN_SIDES)),
    ...(levels === undefined ? [] : [["Levels", ...levelLines(levels)].join("\n")]),
  ];
}

function variantLine(variant: VariantSummary): string {
  const { name, counts, truncated, promptTokens, generatedTokens, seconds } = variant;
  const rate = rates(variant);
  const outcomes =
    `${counted(counts.total, "doc")} (${count(counts.scored)} scored, ${count(counts.unanswered)} unanswered, ` +
    `${count(counts.failed)} failed, ${count(counts.skipped)} skipped), ${count(truncated)} cut at max_tokens`;
  const tokens =
    `${count(promptTokens)} prompt tokens (${rate.prompt}/s), ` +
    `${count(generatedTokens)} generated (${rate.generated}/s)`;
  return `${visible(name)}: ${outcomes}\n  ${duration(seconds)}, ${tokens}`;
}
