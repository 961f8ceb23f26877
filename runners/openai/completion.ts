/** What a response says, read the same from a body and, piece by piece, from a stream. */
import { countMember, isRecord, listMember, member, textMember } from "../json-read.ts";
import type { JsonRecord } from "../json-read.ts";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A choice, or a stream's piece of one. */
export interface Piece {
  /** Undefined where there is no text, which is not the same as an empty one. */
  readonly text: string | undefined;
  readonly reasoning: string | undefined;
  readonly finishReason: string | undefined;
  readonly tokenIds: readonly number[] | undefined;
  readonly logprobs: readonly number[] | undefined;
}

/** All of an answer, as the server gave it. */
export interface Completion extends Piece {
  readonly usage: Usage | undefined;
  readonly firstTextMs?: number;
}

/** The first choice; a server may number them or not. Undefined where there is none. */
export function firstChoice(body: unknown): JsonRecord | undefined {
  const choices = listMember(body, "choices") ?? [];
  return choices.filter(isRecord).find((choice) => (member(choice, "index") ?? 0) === 0);
}

export function readPiece(choice: JsonRecord): Piece {
  const message = member(choice, "message") ?? member(choice, "delta");
  return {
    text: message === undefined ? textMember(choice, "text") : textMember(message, "content"),
    reasoning: textOf(message, "reasoning_content") ?? textOf(message, "reasoning"),
    // TGI sends an empty one until the end.
    finishReason: textOf(choice, "finish_reason"),
    tokenIds: numbers(listMember(choice, "token_ids")),
    logprobs: readLogprobs(member(choice, "logprobs")),
  };
}

/** Undefined where the body has none or not both numbers. */
export function readUsage(body: unknown): Usage | undefined {
  const usage = member(body, "usage");
  const promptTokens = countMember(usage, "prompt_tokens");
  const completionTokens = countMember(usage, "completion_tokens");
  return promptTokens === undefined || completionTokens === undefined ? undefined : { promptTokens, completionTokens };
}

function textOf(value: unknown, key: string): string | undefined {
  const text = textMember(value, key);
  return text === "" ? undefined : text;
}

/** Completions give `token_logprobs`, chat gives `content`; llama.cpp gives `content` for both. */
function readLogprobs(logprobs: unknown): readonly number[] | undefined {
  const content = listMember(logprobs, "content")?.map((token) => member(token, "logprob"));
  return numbers(listMember(logprobs, "token_logprobs") ?? content);
}

function numbers(values: readonly unknown[] | undefined): readonly number[] | undefined {
  return values?.every((value) => typeof value === "number") === true ? values : undefined;
}
