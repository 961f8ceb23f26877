/** A run's findings as Markdown: `report.md`, made to be pasted into a pull request. */
import type { Comparison, FlippedDoc, MarkedAnswer, VariantSummary } from "./comparison.ts";
import {
  allowedDifferences,
  cutWarnings,
  differenceText,
  flippedIds,
  levelsSentence,
  logprobSentence,
  rates,
  reasoningSentences,
  routingSentences,
  unpairedText,
  verdictWord,
  wilsonText,
} from "./findings.ts";
import type { JsonObject } from "./json.ts";
import { LEVEL_HEADER, levelCells } from "./levels-text.ts";
import { markdownTable } from "./markdown-table.ts";
import { count, counted, duration, probability } from "./number-text.ts";
import { codeCell, codeSpan, prose } from "./safe-text.ts";
import { makeTable } from "./table.ts";

/** Flipped docs that are shown with both answers; the others are listed by id. */
const FLIPS_IN_FULL = 5;
/** Ids that are listed before the rest is only counted. */
const IDS_LISTED = 30;
const FAILURES_LISTED = 5;
/** Charts and long tables are not for pasting. */
const IN_FULL = "([layers, margins, load, worst tokens](routing.md))";

/** The whole report; ends with a newline. */
export function renderReport(comparison: Comparison): string {
  const sections = [
    ...verdict(comparison),
    ...answers(comparison),
    ...levels(comparison),
    ...routing(comparison),
    ...work(comparison),
    ...provenance(comparison),
  ];
  return `${sections.join("\n\n")}\n`;
}

function verdict(comparison: Comparison): string[] {
  const { variants, task } = comparison;
  const names = variants.map(({ name }) => name).filter((name) => name !== "baseline-repeat");
  const title = names.length > 1 ? `${names.slice(1).join(", ")} against ${names[0]}` : (names[0] ?? "no variant");
  const reasons = [...comparison.verdict.reasons, ...allowedDifferences(comparison)];
  const lines = [`**${verdictWord(comparison)}**`, ...reasons.map((reason) => `- ${prose(reason)}`)];
  return [`# ${prose(task.name)}: ${prose(title)}`, lines.join("\n")];
}

function answers(comparison: Comparison): string[] {
  const { task, variants, paired, flips } = comparison;
  const blocks = [
    "## Answers",
    ...variants.flatMap((variant) => [prose(tableTitle(variant)), makeTable(variant.table).trimEnd()]),
  ];
  if (paired.length > 0) {
    const rows = paired.map((pair) => {
      const { delta, standardError, interval } = differenceText(pair);
      const counts = [pair.bothRight, pair.onlyBaseline, pair.onlyFused, pair.bothWrong].map(count);
      const start = [codeCell(pair.filter), count(pair.n), delta, standardError, interval];
      return start.concat(counts, probability(pair.mcnemar.midP));
    });
    blocks.push(
      "Paired, doc by doc: fused - baseline in percentage points, standard error (SE) of the per-doc differences, Tango's 95 % interval, McNemar's mid-p-value.",
      markdownTable(
        ["Filter", "Docs", "Δ", "SE", "95 % interval", "Both right", "Only baseline", "Only fused", "Both wrong", "p"],
        rows,
      ),
      ...flipped(flips),
      ...unpairedText(comparison),
    );
  }
  if (variants.some(({ counts }) => counts.failed + counts.skipped > 0)) {
    blocks.push(
      `Docs that failed or were not asked are in no denominator above (${prose(task.name)} has ${count(task.docs)}).`,
    );
  }
  return blocks;
}

/** The standard error that lm-eval prints is in the table; the interval that holds also near 0 and 1 stands above it. */
function tableTitle(variant: VariantSummary): string {
  const [interval] = wilsonText(variant);
  return interval === undefined ? `${variant.name}:` : `${variant.name}, ${interval}:`;
}

function flipped(flips: readonly FlippedDoc[]): string[] {
  if (flips.length === 0) return ["No doc flipped."];
  const ids = flippedIds(flips);
  const rows = ids.slice(0, FLIPS_IN_FULL).flatMap((id) =>
    flipRows(
      id,
      flips.filter(({ doc_id }) => doc_id === id),
    ),
  );
  const others = ids.slice(FLIPS_IN_FULL);
  const listed = others.slice(0, IDS_LISTED).join(", ");
  const rest = others.length > IDS_LISTED ? ` and ${count(others.length - IDS_LISTED)} more` : "";
  return [
    `${counted(ids.length, "doc")} flipped:`,
    markdownTable(["Doc", "Filter", "Baseline", "Fused"], rows),
    ...(others.length > 0 ? [`Also flipped: ${listed}${rest}.`] : []),
  ];
}

/** One row per doc, or one per filter where these found different answers. */
function flipRows(id: number, flips: readonly FlippedDoc[]): string[][] {
  const filters = new Map<string, string[]>();
  for (const { filter, baseline, fused } of flips) {
    const cells = `${marked(baseline)} | ${marked(fused)}`;
    filters.set(cells, [...(filters.get(cells) ?? []), codeCell(filter)]);
  }
  return [...filters].map(([cells, names]) => [String(id), names.join(", "), cells]);
}

function marked({ extracted, exact_match }: MarkedAnswer): string {
  return `${extracted === null ? "no answer" : codeCell(extracted, 40)}, ${exact_match === 1 ? "right" : "wrong"}`;
}

function levels(comparison: Comparison): string[] {
  const { levels: rows } = comparison;
  if (rows.length === 0) return [];
  const heading = hasRoutingReport(comparison) ? `## Level by level ${IN_FULL}` : "## Level by level";
  return [heading, markdownTable(LEVEL_HEADER, rows.map(levelCells))];
}

/** Files of older versions have none. */
function hasRoutingReport({ parity }: Comparison): boolean {
  return parity.kind === "judged" && parity.picture !== undefined;
}

function routing(comparison: Comparison): string[] {
  const { variants, parity, logprobs } = comparison;
  if (variants.length < 2 || hasRoutingReport(comparison)) return [];
  const heading = "## Routing";
  const likelihoods =
    logprobs.kind === "judged"
      ? prose(logprobSentence(logprobs), 800)
      : `Log-probabilities were not judged: ${prose(logprobs.reason)}.`;
  const after = [`${likelihoods} ${levelsSentence(comparison)}`];
  if (parity.kind === "not judged") return [heading, `Not judged: ${prose(parity.reason)}.`, ...after];
  const broken =
    parity.invariants.firstBroken === null ? [] : [`First broken: ${prose(parity.invariants.firstBroken)}.`];
  return [
    heading,
    routingSentences(parity)
      .concat(broken, after)
      .map((sentence) => `- ${sentence}`)
      .join("\n"),
  ];
}

function work({ variants }: Comparison): string[] {
  const rows = variants.map((variant) => {
    const { name, counts, truncated, promptTokens, generatedTokens, seconds } = variant;
    const rate = rates(variant);
    const numbers = [counts.total, counts.scored, counts.unanswered, counts.failed, counts.skipped, truncated].map(
      count,
    );
    const tokens = [`${count(promptTokens)} (${rate.prompt}/s)`, `${count(generatedTokens)} (${rate.generated}/s)`];
    return [prose(name), ...numbers, duration(seconds), ...tokens];
  });
  const failures = variants.flatMap(({ name, counts, failures: listed }) => {
    if (counts.failed === 0) return [];
    const shown = listed
      .slice(0, FAILURES_LISTED)
      .map(({ doc_id, reason }) => `doc ${doc_id} ${codeSpan(reason, 120)}`);
    const rest = counts.failed > shown.length ? `, and ${count(counts.failed - shown.length)} more` : "";
    return [`Failed in ${prose(name)}: ${shown.join(", ")}${rest}.`];
  });
  return [
    "## Docs and time",
    markdownTable(
      [
        "Variant",
        "Docs",
        "Scored",
        "Unanswered",
        "Failed",
        "Skipped",
        "Cut at max_tokens",
        "Time",
        "Prompt tokens",
        "Generated tokens",
      ],
      rows,
    ),
    ...failures,
    ...cutWarnings(variants).map((warning) => `Warning: ${prose(warning)}`),
    ...reasoningSentences(variants).map((sentence) => prose(sentence)),
    `Unanswered docs count as wrong. Time is the wall clock of one run${variants.length > 1 ? " each" : ""}, rates are over it: an observation, not a benchmark.`,
  ];
}

function provenance(comparison: Comparison): string[] {
  const { fusecheck, created, task, engine, environment, settings, command, notJudged } = comparison;
  // The engine has its own line.
  const ownSettings = Object.fromEntries(Object.entries(settings).filter(([name]) => name !== "engine"));
  const lines = [
    `- Again: ${codeSpan(command, 1000)}`,
    `- Task: ${prose(task.name)} version ${task.version}; ${prose(task.provenance)}`,
    `- Engine: ${pairs(engine)}`,
    ...comparison.variants
      .filter(({ engine: own }) => Object.keys(own).length > 0)
      .map(({ name, engine: own }) => `- ${prose(name)}: ${pairs(own)}`),
    `- Settings: ${pairs(ownSettings)}`,
    `- Machine: ${pairs(environment)}`,
    `- fusecheck ${prose(fusecheck)}, ${prose(created)}`,
    ...(notJudged.length > 0 ? [`- Not judged: ${notJudged.map((text) => prose(text)).join("; ")}`] : []),
  ];
  return ["## What was run", lines.join("\n")];
}

/** `name value, name value`; nested objects as JSON. */
function pairs(object: JsonObject): string {
  return Object.entries(object)
    .map(
      ([name, value]) => `${prose(name)} ${codeSpan(typeof value === "string" ? value : JSON.stringify(value), 200)}`,
    )
    .join(", ");
}
