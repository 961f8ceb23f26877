/** Whether two captures can be compared at all: of one model, and of the same tokens. */
import { UserError } from "../../errors.ts";
import type { CaptureFacts, CapturedTokenInfo } from "./capture-source.ts";

/** @throws UserError that says in what they differ */
export function checkSameShape(a: CaptureFacts, b: CaptureFacts): void {
  const differ = (what: string, one: string | number, two: string | number): UserError =>
    new UserError(`the captures cannot be compared: ${a.path} has ${one} ${what}, ${b.path} ${two}`);
  if (a.nExpertsTot !== b.nExpertsTot) throw differ("experts (E)", a.nExpertsTot, b.nExpertsTot);
  if (a.nExpertsAct !== b.nExpertsAct) throw differ("experts per token (K)", a.nExpertsAct, b.nExpertsAct);
  if (a.layers.length !== b.layers.length) throw differ("MoE layers", a.layers.length, b.layers.length);
  const index = a.layers.findIndex((layer, i) => layer !== b.layers[i]);
  if (index >= 0) {
    throw new UserError(
      `the captures cannot be compared: MoE layer ${index + 1} of ${a.path} is layer ${a.layers[index]} of the model, ` +
        `of ${b.path} layer ${b.layers[index]}`,
    );
  }
  if (a.nTokens !== b.nTokens) throw differ("tokens", a.nTokens, b.nTokens);
}

const PARTS = [
  ["docIndex", "doc_index"],
  ["position", "position"],
  ["inputIds", "input_ids"],
] as const;

/**
 * A row says something only about its token and those before it: other tokens are another question, not a mismatch.
 *
 * @throws UserError that names the first place
 */
export function checkSameTokens(
  a: CaptureFacts,
  b: CaptureFacts,
  { first, one, two }: { readonly first: number; readonly one: CapturedTokenInfo; readonly two: CapturedTokenInfo },
): void {
  for (const [part, tensor] of PARTS) {
    const [ofA, ofB] = [one[part], two[part]];
    if (ofA === undefined || ofB === undefined || sameBits(ofA, ofB)) continue;
    const at = ofA.findIndex((value, token) => value !== ofB[token]);
    if (at < 0) continue;
    const docs = one.docIndex === undefined ? "" : ` (doc ${one.docIndex[at]}, position ${one.position?.[at] ?? "?"})`;
    throw new UserError(
      `the captures are of other tokens: ${tensor} of token ${first + at}${docs} is ${ofA[at]} in ${a.path} ` +
        `and ${ofB[at]} in ${b.path}; give both variants the same prompts and completions`,
    );
  }
}

/** Of arrays of one kind, at the speed of memory. */
function sameBits(a: Int32Array, b: Int32Array): boolean {
  const [one, two] = [a, b].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength));
  return (one as Buffer).equals(two as Buffer);
}
