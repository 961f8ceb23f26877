/** The comparison of two captures as Markdown, beside which its charts stand. */
import type { CaptureComparison, CaptureSide } from "./capture-comparison.ts";
import { CAPTURE_SIDES } from "./capture-text.ts";
import { count, counted, size } from "./number-text.ts";
import { layerBlocks, pictureBlocks } from "./routing-report.ts";
import type { ChartFile } from "./routing-report.ts";
import { codeSpan, prose } from "./safe-text.ts";

/** Ends with a newline. */
export function renderCaptureReport(comparison: CaptureComparison, charts: readonly ChartFile[]): string {
  const { captures, settings, known, routing, picture, verdict } = comparison;
  const [a, b] = captures;
  const choices = routing.layers.reduce((sum, layer) => sum + layer.tokens, 0);
  const other = routing.layers.reduce((sum, layer) => sum + layer.tokensMismatched, 0);
  const facts = [
    `A: ${sideText(a)}`,
    `B: ${sideText(b)}`,
    `Tokens of ${counted(routing.docs, "doc")} with other experts in any layer: ${count(routing.tokensAffected)} of ${count(routing.tokens)}; ` +
      `choices: ${count(other)} of ${count(choices)}`,
    `Tolerances: weights ${size(settings.weightTolerance)}; router margin of a near-tie ${size(settings.nearTieMargin)}` +
      (known.margins ? "" : " (not both captures have margins: near-ties cannot be told from faults)"),
    ...(known.inputIds ? [] : ["Not both say which tokens were run: that they are the same was not checked"]),
    ...(known.docs ? [] : ["Neither says which docs its tokens belong to: all are taken for one sequence"]),
    ...[...a.notes, ...b.notes].map((note) => prose(note)),
  ];
  const blocks = [
    "# Routing: capture B against capture A",
    [`**${verdict.held ? "Held." : "Did not hold."}**`, ...verdict.reasons.map((reason) => `- ${prose(reason)}`)].join(
      "\n",
    ),
    facts.map((fact) => `- ${fact}`).join("\n"),
    ...layerBlocks(routing),
    ...(picture === undefined ? [] : pictureBlocks(picture, routing, { charts, names: CAPTURE_SIDES })),
  ];
  return `${blocks.join("\n\n")}\n`;
}

function sideText({ path, format, layers, nExpertsAct, nExpertsTot, nTokens, weights, margins }: CaptureSide): string {
  return (
    `${codeSpan(path, 200)} (${prose(format)}), ${counted(nTokens, "token")}, ${counted(layers.length, "MoE layer")}, ` +
    `${nExpertsAct} of ${nExpertsTot} experts; weights: ${weights ?? "none"}; router margins: ${margins ? "yes" : "none"}`
  );
}
