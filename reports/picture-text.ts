/** Layers, margins, load and the worst tokens as plain text. */
import type { RoutingParity } from "../metrics/routing-result.ts";
import { causeWord } from "./cause-word.ts";
import { MARGIN_HEAD, marginRows } from "./margin-rows.ts";
import { count, counted, size } from "./number-text.ts";
import { loadSentence, marginSentence } from "./picture-words.ts";
import type { SideNames } from "./picture-words.ts";
import type { ReportedPicture } from "./reported-picture.ts";
import { textTable } from "./text-table.ts";
import { worstLines } from "./worst-tokens.ts";

/** Layers and tokens that are listed on a terminal; the files have all. */
const [LAYERS_LISTED, TOKENS_LISTED] = [16, 10];

/** Sentences where all is well, and tables beside where something differs. */
export function pictureText(picture: ReportedPicture, routing: RoutingParity, names: SideNames): string[] {
  const blocks = sentences(picture, names).map(indent);
  if (routing.firstDivergence === null && picture.worst.length === 0) return blocks;
  return [...blocks, indent(layerTable(routing)), ...tables(picture, routing, names).map(indent)];
}

/** The same without the layers. */
export function pictureBeside(picture: ReportedPicture, routing: RoutingParity, names: SideNames): string[] {
  return [...sentences(picture, names), ...tables(picture, routing, names)];
}

function sentences({ margins, load, nearTieMargin }: ReportedPicture, names: SideNames): string[] {
  const lines = [
    ...(margins === null ? [] : [marginSentence(margins, nearTieMargin, names)]),
    ...(load === null ? [] : [loadSentence(load, names)]),
  ];
  return lines.length === 0 ? [] : [lines.join("\n")];
}

function tables(picture: ReportedPicture, routing: RoutingParity, names: SideNames): string[] {
  const { margins, worst } = picture;
  if (worst.length === 0) return [];
  return [
    ...(margins === null ? [] : [textTable(MARGIN_HEAD, marginRows(margins))]),
    ...worstText(picture, routing, names),
  ];
}

function worstText(
  { worst }: Pick<ReportedPicture, "worst">,
  { marginsKnown }: Pick<RoutingParity, "marginsKnown">,
  names: SideNames,
): string[] {
  const shown = worst.slice(0, TOKENS_LISTED);
  if (shown.length === 0) return [];
  return [
    [
      `Worst ${counted(shown.length, "token")} (* another expert than the other side's):`,
      ...worstLines(shown, { names, marginsKnown }),
    ].join("\n"),
  ];
}

function layerTable({ layers, marginsKnown }: RoutingParity): string {
  const differing = layers.filter(({ tokensMismatched, weights }) => tokensMismatched > 0 || weights.max > 0);
  const shown = layers.length > LAYERS_LISTED ? differing.slice(0, LAYERS_LISTED) : layers;
  const rows = shown.map(({ layer, tokensMismatched, nearTies, downstream, unexplained, weights }) => [
    String(layer),
    ...[tokensMismatched, nearTies, downstream, unexplained].map(count),
    weights.count === 0 ? "-" : size(weights.max),
  ]);
  const head = ["layer", "other experts", "near-ties", "downstream", causeWord("unexplained", marginsKnown)];
  const table = textTable([...head, "largest weight Δ"], rows);
  const left = differing.length - shown.length;
  return left > 0 ? `${table}\nand ${counted(left, "more layer")} that differ` : table;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
