/** Finds out which tokens the worst ones are, and what stands around them. */
import type { ReportedToken, TokenInContext } from "../reports/reported-picture.ts";
import type { WorstToken } from "../metrics/worst-tokens.ts";
import type { CaptureSource } from "../runners/captures/capture-source.ts";
import { TokenRuns } from "../runners/captures/token-runs.ts";
import type { TokenDecoder } from "../runners/token-decoder.ts";

/** A doc as it was sent and answered. */
export interface DocText {
  readonly prompt: string;
  readonly answer: string;
  readonly promptTokens: number;
  readonly answerTokens: number;
}

export interface ContextOptions {
  readonly decoder?: TokenDecoder | undefined;
  /** Of the docs that the tokens are of. Default: none is known. */
  readonly docs?: ReadonlyMap<number, DocText>;
}

/** Tokens shown before and after one. */
const [BEFORE, AFTER] = [8, 4];
/** Characters before and after the place that a token is taken to stand at. */
const NEAR = 30;
/** Tokens looked at together while one is searched. */
const BLOCK = 2 ** 16;

/** @throws UserError where the capture cannot be read */
export function tokensInContext(
  worst: readonly WorstToken[],
  source: CaptureSource,
  options: ContextOptions = {},
): ReportedToken[] {
  const rows = findRows(worst, source);
  return worst.map((token) => ({ ...token, token: contextOf(token, rows.get(token), source, options) }));
}

/** Where in the capture each token stands. */
function findRows(worst: readonly WorstToken[], source: CaptureSource): ReadonlyMap<WorstToken, number> {
  const runs = new TokenRuns(source);
  const rows = new Map<WorstToken, number>();
  for (let from = 0; from < source.nTokens && rows.size < worst.length; from += BLOCK) {
    const to = Math.min(from + BLOCK, source.nTokens);
    for (const { docId, start, end, position } of runs.cut(from, to - from, source.tokens(from, to))) {
      for (const token of worst) {
        const offset = token.position - position;
        if (token.doc_id !== docId || offset < 0 || offset >= end - start || rows.has(token)) continue;
        rows.set(token, from + start + offset);
      }
    }
  }
  return rows;
}

function contextOf(
  { doc_id: docId, position }: WorstToken,
  row: number | undefined,
  source: CaptureSource,
  { decoder, docs }: ContextOptions,
): TokenInContext | null {
  if (row === undefined) return null;
  const from = row - Math.min(BEFORE, position);
  const { inputIds, docIndex } = source.tokens(from, Math.min(row + 1 + AFTER, source.nTokens));
  const id = inputIds?.[row - from];
  if (inputIds === undefined || id === undefined) return null;
  const after = [...inputIds.subarray(row - from + 1)].filter(
    (_, index) => docIndex === undefined || docIndex[row - from + 1 + index] === docId,
  );
  const ids = { id, before: [...inputIds.subarray(0, row - from)], after };
  const doc = docs?.get(docId);
  const place = doc && placeIn(doc, position);
  const text = decoder && textOf(ids, decoder);
  return {
    ...ids,
    ...(text !== undefined && { text }),
    ...(text === undefined && place !== undefined && { near: place.near }),
    ...(place !== undefined && { part: place.part }),
  };
}

function textOf(
  { id, before, after }: Pick<TokenInContext, "id" | "before" | "after">,
  decoder: TokenDecoder,
): NonNullable<TokenInContext["text"]> {
  const decode = (some: readonly number[]): string => (some.length === 0 ? "" : decoder.decode(some));
  return { before: decode(before), token: decoder.nameOf(id), after: decode(after) };
}

/** Undefined where the engine's counts do not fit the position. */
function placeIn(
  { prompt, answer, promptTokens, answerTokens }: DocText,
  position: number,
): { readonly part: NonNullable<TokenInContext["part"]>; readonly near: string } | undefined {
  const inPrompt = position < promptTokens;
  const [text, index, of] = inPrompt
    ? [prompt, position, promptTokens]
    : [answer, position - promptTokens, answerTokens];
  if (index >= of) return undefined;
  const at = Math.round((text.length * (index + 0.5)) / of);
  const near = text.slice(Math.max(0, at - NEAR), at + NEAR);
  return { part: { name: inPrompt ? "prompt" : "answer", index, of }, near };
}
