/** The comparison of two captures as plain text. */
import { mergeHistograms, quantile } from "../metrics/difference-histogram.ts";
import { mergeDifferences, NO_DIFFERENCES } from "../metrics/difference.ts";
import type { ExampleRow, RoutingExample } from "../metrics/routing-comparison.ts";
import { tiesOf } from "../metrics/routing-result.ts";
import type { LayerParity } from "../metrics/routing-result.ts";
import type { TieCounts } from "../metrics/tie-excess.ts";
import type { CaptureComparison, CaptureSide } from "./capture-comparison.ts";
import { UNTOLD } from "./findings.ts";
import { count, counted, size } from "./number-text.ts";
import { pictureBeside } from "./picture-text.ts";
import type { SideNames } from "./picture-words.ts";
import { visible } from "./safe-text.ts";
import { textTable } from "./text-table.ts";

export const CAPTURE_SIDES: SideNames = ["A", "B"];

/** With more MoE layers than this, only those with a difference are listed, and of those as many. */
const LAYERS_LISTED = 16;
const EXAMPLES_LISTED = 3;
const QUANTILES = [0.5, 0.9, 0.99, 0.999];

/** Ends with a newline. */
export function renderCaptures(comparison: CaptureComparison): string {
  const { verdict, routing } = comparison;
  const blocks = [
    sides(comparison),
    findings(comparison),
    ...(routing.firstDivergence === null ? [] : [layerTable(comparison), positionTable(comparison)]),
    ...(comparison.picture === undefined
      ? examples(comparison)
      : pictureBeside(comparison.picture, routing, CAPTURE_SIDES)),
    [verdict.held ? "Held." : "Did not hold.", ...verdict.reasons.map((reason) => `  ${visible(reason, 400)}`)].join(
      "\n",
    ),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function sides({ captures: [a, b], known }: CaptureComparison): string {
  const lines = [`A  ${sideText(a)}`, `B  ${sideText(b)}`];
  for (const note of [...a.notes, ...b.notes]) lines.push(`Note: ${visible(note, 400)}`);
  if (!known.inputIds)
    lines.push("Note: not both say which tokens were run: that they are the same tokens was not checked.");
  if (!known.docs)
    lines.push("Note: neither says which docs its tokens belong to: all are taken for one sequence, so after a first");
  if (!known.docs) lines.push("      divergence every higher layer counts as downstream of it.");
  return lines.join("\n");
}

function sideText({ path, format, layers, nExpertsAct, nExpertsTot, nTokens, weights, margins }: CaptureSide): string {
  const also = `weights: ${weights ?? "none"}; router margins: ${margins ? "yes" : "none"}`;
  return (
    `${visible(path, 200)} (${format}): ${counted(nTokens, "token")}, ${counted(layers.length, "MoE layer")}, ` +
    `${nExpertsAct} of ${nExpertsTot} experts; ${also}`
  );
}

function findings({ routing, detail, known, settings }: CaptureComparison): string {
  const sum = (of: "tokens" | "entries" | "idsMismatched" | "tokensMismatched" | "tokensReordered"): number =>
    routing.layers.reduce((total, layer) => total + layer[of], 0);
  const jaccard = detail.layers.reduce((total, layer) => total + layer.jaccardSum, 0) / sum("tokens");
  const lowest = Math.min(...detail.layers.map(({ jaccardMin }) => jaccardMin));
  const lines = [
    `Tokens of ${counted(routing.docs, "doc")} with other experts in any layer: ${count(routing.tokensAffected)} of ${count(routing.tokens)}.`,
    `Choices with other experts: ${count(sum("tokensMismatched"))} of ${count(sum("tokens"))}; ids: ${count(sum("idsMismatched"))} of ${count(sum("entries"))}; ` +
      `in another order only (allowed): ${count(sum("tokensReordered"))}.`,
    `Jaccard of the expert sets: mean ${jaccard === 1 ? "1" : jaccard.toFixed(6)}, lowest ${size(lowest)}.`,
    weightsText(routing.layers, detail.layers, known.weights, settings.weightTolerance),
    known.margins
      ? `Near-ties: where both router margins are at most ${size(settings.nearTieMargin)}, ` +
        `${known.scores ? "other experts that tie by their scores" : "one expert swapped (more need the scores)"}.`
      : "Near-ties cannot be told, as not both captures have router margins: up to 0.1 % of the tokens may differ.",
  ];
  if (known.margins) lines.push(tiesText(tiesOf(routing)));
  const { firstDivergence, firstUnexplained } = routing;
  const where = (at: typeof firstDivergence): string =>
    at === null ? "none" : `doc ${at.doc_id}, position ${at.position}, layer ${at.layer}`;
  const unexplained = known.margins ? `; the first unexplained: ${where(firstUnexplained)}` : "";
  lines.push(`First divergence: ${where(firstDivergence)}${unexplained}.`);
  return lines.join("\n");
}

function tiesText({ both, onlyBaseline, onlyFused }: TieCounts): string {
  return `Choices so close: ${count(both)} in both, ${count(onlyBaseline)} in A alone, ${count(onlyFused)} in B alone.`;
}

function weightsText(
  layers: readonly LayerParity[],
  details: CaptureComparison["detail"]["layers"],
  known: boolean,
  tolerance: number,
): string {
  if (!known) return "Weights: not both captures have them; not compared.";
  let total = NO_DIFFERENCES;
  for (const { weights } of layers) total = mergeDifferences(total, weights);
  if (total.count === 0) return "Weights: none to compare, as no token has the same experts.";
  const histogram = mergeHistograms(details.map(({ weights }) => weights));
  const shown = QUANTILES.map((q) => `${100 * q} % ${size(Math.min(quantile(histogram, q), total.max))}`).join(", ");
  const beyond = details.reduce((all, { weightsBeyond }) => all + weightsBeyond, 0);
  return (
    `Weights, id by id: ${counted(total.count, "weight")}; difference up to: ${shown}, all ${size(total.max)}; ` +
    `beyond the tolerance of ${size(tolerance)}: ${count(beyond)}.`
  );
}

function layerTable({ routing, detail, known }: CaptureComparison): string {
  const all = routing.layers.map((layer, index) => ({ layer, own: detail.layers[index]! }));
  const differing = all.filter(({ layer, own }) => layer.tokensMismatched > 0 || own.weightsBeyond > 0);
  const shown = all.length > LAYERS_LISTED ? differing.slice(0, LAYERS_LISTED) : all;
  const rows = shown.map(({ layer, own }) => [
    String(layer.layer),
    count(layer.tokensMismatched),
    count(layer.nearTies),
    count(layer.downstream),
    count(layer.unexplained),
    count(layer.tokensReordered),
    (own.jaccardSum / layer.tokens).toFixed(6),
    count(own.weightsBeyond),
    layer.weights.count === 0 ? "-" : size(layer.weights.max),
  ]);
  const head = ["layer", "other experts", "near-ties", "downstream", unexplainedWord(known), "reordered"];
  const table = textTable([...head, "Jaccard", "weights beyond", "largest Δ"], rows);
  const left = differing.length - LAYERS_LISTED;
  return all.length > LAYERS_LISTED && left > 0 ? `${table}\nand ${counted(left, "more layer")} that differ` : table;
}

function positionTable({ detail: { positions }, known }: CaptureComparison): string {
  const rows = positions.map(({ from, to, choices, mismatched, nearTies, downstream, unexplained }) => [
    to - from === 1 ? String(from) : `${count(from)} to ${count(to - 1)}`,
    ...[choices, mismatched, nearTies, downstream, unexplained].map(count),
  ]);
  return textTable(["position", "choices", "other experts", "near-ties", "downstream", unexplainedWord(known)], rows);
}

/** Without margins nothing is known to be no near-tie. */
function unexplainedWord({ margins }: CaptureComparison["known"]): string {
  return margins ? "unexplained" : UNTOLD;
}

function examples({ detail, captures, known }: CaptureComparison): string[] {
  const shown = detail.examples.slice(0, EXAMPLES_LISTED);
  if (shown.length === 0) return [];
  const { nExpertsAct } = captures[0];
  const which = known.margins ? "First unexplained choices:" : `First choices that differ (${UNTOLD}):`;
  return [[which, ...shown.flatMap((example) => exampleLines(example, nExpertsAct))].join("\n")];
}

function exampleLines({ doc_id, position, layer, baseline, fused }: RoutingExample, k: number): string[] {
  const row = (name: string, { ids, weights, margin }: ExampleRow): string => {
    const experts = ids.map((id, slot) => (weights === null ? String(id) : `${id} (${size(weights[slot]!)})`));
    return `    ${name}  ${experts.slice(0, 16).join("  ")}${k > 16 ? "  ..." : ""}${margin === null ? "" : `; margin ${size(margin)}`}`;
  };
  return [`  doc ${doc_id}, position ${position}, layer ${layer}`, row("A", baseline), row("B", fused)];
}
