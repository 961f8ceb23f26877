/** The routing of two variants in full, as Markdown: `routing.md`, beside which the charts stand. */
import type { ExpertLoad } from "../metrics/expert-load.ts";
import type { RoutingParity } from "../metrics/routing-result.ts";
import { causeWord } from "./cause-word.ts";
import type { Comparison } from "./comparison.ts";
import { LEVEL_HEADER, levelCells } from "./levels-text.ts";
import { logprobSentence, routingSentences } from "./findings.ts";
import { MARGIN_HEAD, marginRows } from "./margin-rows.ts";
import { markdownTable } from "./markdown-table.ts";
import { count, counted, size } from "./number-text.ts";
import { loadSentence, marginSentence, noTokenDiffers, RUN_SIDES, WORST_ORDER } from "./picture-words.ts";
import type { SideNames } from "./picture-words.ts";
import type { ReportedPicture } from "./reported-picture.ts";
import { prose } from "./safe-text.ts";
import { worstTable } from "./worst-tokens.ts";

/** A chart's file, as a report names it. */
export interface ChartFile {
  readonly name: string;
  /** Relative to the report. */
  readonly path: string;
  readonly alt: string;
}

/** With more MoE layers than this, only those that differ are listed. */
const LAYERS_LISTED = 128;

/** Ends with a newline; undefined where no routing was judged. */
export function renderRoutingReport(comparison: Comparison, charts: readonly ChartFile[]): string | undefined {
  const { task, parity, logprobs, levels } = comparison;
  if (parity.kind === "not judged") return undefined;
  const sentences = [...routingSentences(parity), ...(logprobs.kind === "judged" ? [logprobSentence(logprobs)] : [])];
  const { firstBroken } = parity.invariants;
  if (firstBroken !== null) sentences.push(`First broken: ${firstBroken}.`);
  const blocks = [
    `# ${prose(task.name)}: routing, fused against baseline`,
    ...levelTable(levels),
    sentences.map((sentence) => `- ${prose(sentence, 1000)}`).join("\n"),
    ...layerBlocks(parity.routing),
    ...(parity.picture === undefined
      ? []
      : pictureBlocks(parity.picture, parity.routing, { charts, names: RUN_SIDES })),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function levelTable(levels: Comparison["levels"]): string[] {
  return levels.length === 0 ? [] : [markdownTable(LEVEL_HEADER, levels.map(levelCells))];
}

/** The layers one by one, where any differs. */
export function layerBlocks({ layers, marginsKnown }: RoutingParity): string[] {
  const differing = layers.filter(
    ({ tokensMismatched, weights }) => tokensMismatched > 0 || weights.max > 0 || weights.notFinite > 0,
  );
  if (differing.length === 0) return ["## Layers", "No layer differs in anything."];
  const shown = layers.length > LAYERS_LISTED ? differing.slice(0, LAYERS_LISTED) : layers;
  const rows = shown.map(({ layer, tokensMismatched, nearTies, downstream, unexplained, weights, ...counts }) => [
    String(layer),
    ...[tokensMismatched, nearTies, downstream, unexplained, counts.tokensReordered].map(count),
    weights.count === 0 ? "-" : size(weights.max),
    weights.count === 0 ? "-" : size(weights.sum / weights.count),
  ]);
  const unexplained = causeWord("unexplained", marginsKnown);
  const head = ["Layer", "Tokens with other experts", "Near-ties", "Downstream"];
  const table = markdownTable(
    [
      ...head,
      `${unexplained[0]!.toUpperCase()}${unexplained.slice(1)}`,
      "In another order (allowed)",
      "Largest weight Δ",
      "Mean weight Δ",
    ],
    rows,
  );
  const others = layers.length - shown.length;
  const rest = `Of the other ${counted(others, "layer")}, ${count(differing.length - shown.length)} differ too.`;
  return ["## Layers", table, ...(others === 0 ? [] : [rest])];
}

/** Margins, load and the worst tokens, each with its chart where there is one. */
export function pictureBlocks(
  { margins, load, worst, nearTieMargin, weightTolerance }: ReportedPicture,
  { marginsKnown }: Pick<RoutingParity, "marginsKnown">,
  { charts, names }: { readonly charts: readonly ChartFile[]; readonly names: SideNames },
): string[] {
  const image = (name: string): string[] =>
    charts.filter((chart) => chart.name === name).map(({ alt, path }) => `![${prose(alt)}](${path})`);
  return [
    "## Router margins",
    ...(margins === null
      ? [`The captures of ${names[0]} have no router margins, so there is no chart of them.`]
      : [
          marginSentence(margins, nearTieMargin, names),
          ...image("router-margins"),
          markdownTable(MARGIN_HEAD, marginRows(margins)),
        ]),
    "## Expert load",
    ...(load === null
      ? ["There are too many experts to count."]
      : [loadSentence(load, names), ...image("expert-load"), loadTable(load, names)]),
    "## The worst tokens",
    ...(worst.length === 0
      ? [noTokenDiffers(weightTolerance)]
      : [WORST_ORDER, worstTable(worst, { names, marginsKnown })]),
  ];
}

function loadTable({ layers }: ExpertLoad, names: SideNames): string {
  const shown = layers.slice(0, LAYERS_LISTED);
  const rows = shown.map(({ layer, change, ...sides }) => [
    String(layer),
    ...(["baseline", "fused"] as const).map((side) => {
      const { imbalance, busiest, most, least, empty } = sides[side];
      const idle = empty === 0 ? "" : `, ${count(empty)} without any`;
      return `${size(imbalance)} ×: expert ${busiest}, ${counted(most, "token")}; least ${count(least)}${idle}`;
    }),
    change === null ? "none" : `expert ${change.expert}: ${change.tokens > 0 ? "+" : ""}${count(change.tokens)}`,
  ]);
  const table = markdownTable(
    ["Layer", `Busiest, ${names[0]}`, `Busiest, ${names[1]}`, "Largest change of one expert, tokens"],
    rows,
  );
  return layers.length > shown.length
    ? `${table}\n\nand ${counted(layers.length - shown.length, "more layer")}`
    : table;
}
