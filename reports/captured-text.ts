/** What was captured, as plain text. */
import type { Captured } from "./captured.ts";
import { count, counted, duration, size } from "./number-text.ts";
import { visible } from "./safe-text.ts";

const IDS_LISTED = 10;

/** Ends with a newline. */
export function renderCaptured(captured: Captured, next: readonly string[]): string {
  const { path, bytes, variant, engine, kind, docs, tokens, layers, invariants, notes, seconds } = captured;
  const { nExpertsAct, nExpertsTot, weights, margins } = captured;
  const ids = docs.slice(0, IDS_LISTED).map(({ doc_id: id }) => id);
  const rest = docs.length > IDS_LISTED ? `, and ${count(docs.length - IDS_LISTED)} more` : "";
  const ofPrompts = docs.reduce((sum, { promptTokens }) => sum + promptTokens, 0);
  const whose = kind === "generated" ? "the engine's own, greedy" : "as given";
  const given = [weights ? "weights" : "no weights", margins ? "router margins" : "no router margins"].join(", ");
  const model = [engine["name"], engine["model"]]
    .filter((word) => typeof word === "string")
    .map((word) => visible(word, 200))
    .join(", ");
  return [
    `${visible(path, 400)}: ${variant}, ${model}; ${size(bytes / 1e6)} MB in ${duration(seconds)}`,
    `  ${counted(docs.length, "doc")} (${ids.join(", ")}${rest}), ${counted(tokens, "token")} run: ` +
      `${count(ofPrompts)} of prompts, ${count(tokens - ofPrompts)} of completions (${whose})`,
    `  ${counted(layers.length, "MoE layer")}, ${nExpertsAct} of ${nExpertsTot} experts; ${given}`,
    "  Sound: ids in range and different in each row, no layer empty, constant or like another",
    ...(invariants === null ? [] : [`  ${invariantsText(invariants)}`]),
    ...notes.map((note) => `  Note: ${visible(note, 400)}`),
    ...next.map((line, index) => `${index === 0 ? "Next: " : "      "}${line}`),
    "",
  ].join("\n");
}

function invariantsText({ checked, broken, firstBroken }: NonNullable<Captured["invariants"]>): string {
  const first = firstBroken === null ? "" : `; the first: ${visible(firstBroken, 400)}`;
  return `Routing-data entries checked: ${count(checked)}; ${counted(broken, "broken invariant")}${first}`;
}
