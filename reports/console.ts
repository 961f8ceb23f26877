/** A run's findings as plain text for the terminal. */
import type { Comparison, VariantSummary } from "./comparison.ts";
import {
  allowedDifferences,
  cutWarnings,
  differenceText,
  flippedIds,
  levelsSentence,
  logprobSentence,
  mcnemarText,
  rates,
  routingSentences,
  unpairedText,
  verdictWord,
  wilsonText,
} from "./findings.ts";
import { levelLines } from "./levels-text.ts";
import { count, counted, duration } from "./number-text.ts";
import { visible } from "./safe-text.ts";
import { pictureText } from "./picture-text.ts";
import { RUN_SIDES } from "./picture-words.ts";
import { makeTable } from "./table.ts";

const IDS_LISTED = 20;

/** lm-eval's table per variant, then the comparison where there is one, then the verdict; ends with a newline. */
export function renderConsole(comparison: Comparison): string {
  const { variants, verdict } = comparison;
  const blocks = variants.map((variant) =>
    [
      visible(variant.name),
      makeTable(variant.table).trimEnd(),
      ...wilsonText(variant).map((text) => visible(text, 400)),
    ].join("\n"),
  );
  if (variants.length > 1)
    blocks.push(
      pairedBlock(comparison),
      routingBlock(comparison),
      ...pictureBlock(comparison),
      levelsBlock(comparison),
    );
  const warnings = [...cutWarnings(variants), ...allowedDifferences(comparison)].map(
    (warning) => `Warning: ${visible(warning, 400)}`,
  );
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

function pairedBlock(comparison: Comparison): string {
  const { paired, flips } = comparison;
  const width = Math.max(0, ...paired.map(({ filter }) => filter.length));
  const lines = paired.map((pair) => {
    const { delta, standardError, interval } = differenceText(pair);
    return (
      `  ${visible(pair.filter).padEnd(width)}  ${delta} points, SE ${standardError}, 95 % interval ${interval}\n` +
      `  ${" ".repeat(width)}  of ${counted(pair.n, "doc")}: both right ${count(pair.bothRight)}, only baseline ${count(pair.onlyBaseline)}, ` +
      `only fused ${count(pair.onlyFused)}, both wrong ${count(pair.bothWrong)}; McNemar ${mcnemarText(pair)}`
    );
  });
  const ids = flippedIds(flips);
  const rest = ids.length > IDS_LISTED ? ` and ${count(ids.length - IDS_LISTED)} more` : "";
  const flipped = ids.length === 0 ? "none" : `${ids.slice(0, IDS_LISTED).join(", ")}${rest}`;
  const unpaired = unpairedText(comparison).map((text) => `  ${text}`);
  return ["Paired difference, fused - baseline", ...lines, `  docs that flipped: ${flipped}`, ...unpaired].join("\n");
}

function routingBlock(comparison: Comparison): string {
  const { parity, logprobs } = comparison;
  const lines = parity.kind === "judged" ? routingSentences(parity) : [`Not judged: ${visible(parity.reason, 400)}.`];
  if (parity.kind === "judged" && parity.invariants.firstBroken !== null) {
    lines.push(`First broken: ${visible(parity.invariants.firstBroken, 400)}.`);
  }
  lines.push(
    logprobs.kind === "judged"
      ? visible(logprobSentence(logprobs), 800)
      : `Log-probabilities were not judged: ${visible(logprobs.reason, 400)}.`,
    levelsSentence(comparison),
  );
  return ["Routing parity", ...lines.map((line) => `  ${line}`)].join("\n");
}

function pictureBlock({ parity }: Comparison): string[] {
  if (parity.kind === "not judged" || parity.picture === undefined) return [];
  return pictureText(parity.picture, parity.routing, RUN_SIDES);
}

function levelsBlock({ levels }: Comparison): string {
  return ["Level by level [held to]", ...levelLines(levels).map((line) => `  ${line}`)].join("\n");
}

function variantLine(variant: VariantSummary): string {
  const { name, counts, truncated, reasoned = 0, promptTokens, generatedTokens, seconds } = variant;
  const rate = rates(variant);
  const outcomes =
    `${counted(counts.total, "doc")} (${count(counts.scored)} scored, ${count(counts.unanswered)} unanswered, ` +
    `${count(counts.failed)} failed, ${count(counts.skipped)} skipped), ${count(truncated)} cut at max_tokens` +
    (reasoned === 0 ? "" : `, ${count(reasoned)} with reasoning kept apart`);
  const tokens =
    `${count(promptTokens)} prompt tokens (${rate.prompt}/s), ` +
    `${count(generatedTokens)} generated (${rate.generated}/s)`;
  return `${visible(name)}: ${outcomes}\n  ${duration(seconds)}, ${tokens}`;
}
