/** Log-probabilities of the tokens of a capture. */
import { isRecord, listMember, member } from "../json-read.ts";
import type { SequenceLogprobs, SequenceTokens } from "../routed-experts/captured-sequence.ts";
import { firstChoice, readPiece } from "./completion.ts";

export function noLogprobs(reason: string): SequenceLogprobs {
  return { kind: "absent", reason };
}

/** Of a completion that the server generated. */
export function generatedLogprobs(body: unknown, tokens: SequenceTokens): SequenceLogprobs {
  const choice = firstChoice(body);
  const values = choice && readPiece(choice).logprobs;
  if (values === undefined) return noLogprobs("the server gives no log-probabilities");
  if (tokens.kind === "known" && values.length !== tokens.completion.length)
    return noLogprobs(`the server gives ${values.length} log-probabilities for ${tokens.completion.length} tokens`);
  return fromNumbers(values);
}

/**
 * Of a completion that was given as the end of a prompt: with the echo of the prompt, where the first token has none, or
 * as vLLM's `prompt_logprobs`, an object by token id for each token.
 */
export function givenLogprobs(body: unknown, sequence: readonly number[], promptTokens: number): SequenceLogprobs {
  const choice = firstChoice(body);
  const echoed = listMember(member(choice, "logprobs"), "token_logprobs");
  // Without the echo these are of what was generated.
  const whole = echoed !== undefined && echoed.length >= sequence.length ? echoed : undefined;
  const byId = listMember(choice, "prompt_logprobs") ?? listMember(body, "prompt_logprobs");
  const values = whole ?? byId?.map((entry, i) => logprobOf(entry, sequence[i] as number));
  if (values === undefined) return noLogprobs("the server gives no log-probabilities of given tokens");
  return fromNumbers(values.slice(promptTokens, sequence.length), sequence.length - promptTokens);
}

function logprobOf(entry: unknown, id: number): unknown {
  const found = member(entry, String(id));
  return isRecord(found) ? member(found, "logprob") : found;
}

function fromNumbers(values: readonly unknown[], count = values.length): SequenceLogprobs {
  const good = values.every((value): value is number => typeof value === "number" && Number.isFinite(value));
  if (!good || values.length !== count)
    return noLogprobs("the server's log-probabilities are not a number for each token");
  return { kind: "given", values: Float32Array.from(values) };
}
