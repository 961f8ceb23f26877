/** The worst tokens, as a Markdown table and as plain text. What they are tokens of is hostile text. */
import type { ShownChoice } from "../metrics/worst-tokens.ts";
import { causeWord } from "./cause-word.ts";
import { markdownTable } from "./markdown-table.ts";
import { size } from "./number-text.ts";
import type { SideNames } from "./picture-words.ts";
import type { ReportedToken, TokenInContext } from "./reported-picture.ts";
import { codeCell, visible } from "./safe-text.ts";

/** Characters of a token, and of what stands on each side of it. */
const [TOKEN_LENGTH, SIDE_LENGTH] = [40, 40];

export interface WorstOptions {
  readonly names: SideNames;
  readonly marginsKnown: boolean;
}

export function worstTable(worst: readonly ReportedToken[], { names, marginsKnown }: WorstOptions): string {
  const rows = worst.map((token) => [
    placeText(token),
    tokenCell(token.token),
    causeWord(token.cause, marginsKnown),
    token.weightMoved === null ? "-" : size(token.weightMoved),
    choiceCell(token.baseline, token.fused),
    choiceCell(token.fused, token.baseline),
  ]);
  return markdownTable(["Doc, position, layer", "Token", "Cause", "Weight moved", names[0], names[1]], rows);
}

/** Four lines for each. */
export function worstLines(worst: readonly ReportedToken[], { names, marginsKnown }: WorstOptions): string[] {
  const width = Math.max(...names.map((name) => name.length));
  return worst.flatMap((token) => {
    const moved = token.weightMoved === null ? "" : `; weight moved ${size(token.weightMoved)}`;
    const choice = (name: string, own: ShownChoice, other: ShownChoice): string =>
      `    ${name.padEnd(width)}  ${expertsText(own, other, (id, isOther) => (isOther ? `*${id}` : String(id)))}`;
    return [
      `  ${placeText(token)}: ${causeWord(token.cause, marginsKnown)}${moved}`,
      `    ${tokenText(token.token)}`,
      choice(names[0], token.baseline, token.fused),
      choice(names[1], token.fused, token.baseline),
    ];
  });
}

function placeText({ doc_id: doc, position, layer }: ReportedToken): string {
  return `doc ${doc}, position ${position}, layer ${layer}`;
}

/** @param expert - how an id is written, and whether the other side did not choose it */
function expertsText(
  { ids, weights, margin }: ShownChoice,
  other: ShownChoice,
  expert: (id: number, isOther: boolean) => string,
): string {
  const experts = ids.map((id, slot) => {
    const name = expert(id, !other.ids.includes(id));
    if (weights === null) return name;
    const weight = weights[slot] ?? null;
    return `${name} (${weight === null ? "not finite" : size(weight)})`;
  });
  return `${experts.join(", ")}${margin === null ? "" : `; margin ${size(margin)}`}`;
}

function choiceCell(own: ShownChoice, other: ShownChoice): string {
  return expertsText(own, other, (id, isOther) => (isOther ? `**${id}**` : String(id)));
}

function tokenCell(token: TokenInContext | null): string {
  if (token === null) return "not known";
  const { id, text, near } = token;
  const where = partText(token);
  if (text !== undefined) {
    const [before, after] = [ending(text.before), beginning(text.after)];
    const around = [before, `**${codeCell(spaced(text.token), TOKEN_LENGTH)}**`, after];
    return `${around.filter((part) => part !== "").join(" ")} (id ${id}${where})`;
  }
  return near === undefined ? `id ${id}${where}, ${idsAround(token)}` : `id ${id}${where}, near ${codeCell(near, 80)}`;
}

function tokenText(token: TokenInContext | null): string {
  if (token === null) return "token not known";
  const { id, text, near } = token;
  const where = partText(token);
  if (text !== undefined) {
    const before = tail(text.before);
    return `token ${id}${where}: ${visible(before, SIDE_LENGTH)} >>${visible(spaced(text.token), TOKEN_LENGTH)}<< ${visible(text.after, SIDE_LENGTH)}`;
  }
  return near === undefined
    ? `token ${id}${where}, ${idsAround(token)}`
    : `token ${id}${where}, near: ${visible(near, 80)}`;
}

function partText({ part }: TokenInContext): string {
  return part === undefined ? "" : `, ${part.name} ${part.index + 1} of ${part.of}`;
}

function idsAround({ before, after }: TokenInContext): string {
  const sides = [before.length > 0 && `after ${before.join(" ")}`, after.length > 0 && `before ${after.join(" ")}`];
  return sides.filter((side) => side !== false).join(", ");
}

/** A token that is a space, or begins with one, is seen to be. */
function spaced(token: string): string {
  return token.slice(0, 2 * TOKEN_LENGTH + 2).replaceAll(" ", "␣");
}

/** The last characters: what stands next to the token. */
function tail(text: string): string {
  return Array.from(text.slice(-2 * SIDE_LENGTH))
    .slice(-SIDE_LENGTH)
    .join("");
}

function ending(text: string): string {
  return text === "" ? "" : codeCell(tail(text), SIDE_LENGTH);
}

function beginning(text: string): string {
  return text === "" ? "" : codeCell(text, SIDE_LENGTH);
}
