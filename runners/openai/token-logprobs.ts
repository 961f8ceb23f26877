/** Log-probabilities with the tokens that they are of, read from a response that a server gave. Pure. */
import { isRecord, listMember, member, textMember } from "../json-read.ts";
import type { JsonRecord } from "../json-read.ts";
import { firstChoice, readUsage } from "./completion.ts";

export type NamedLogprobs =
  | {
      readonly kind: "given";
      /** As the server writes them. */
      readonly tokens: readonly string[];
      /** Null where it is no finite number. */
      readonly logprobs: readonly (number | null)[];
    }
  | { readonly kind: "absent"; readonly reason: string };

interface Token {
  readonly name: string;
  readonly logprob: unknown;
}

/**
 * Of a completion that was given as the end of a prompt, whose echo was asked for with one token behind it.
 *
 * @param prompt - what was given before the completion
 */
export function echoedLogprobs(body: unknown, prompt: string, completion: string): NamedLogprobs {
  const choice = firstChoice(body);
  const said = textMember(choice, "text") ?? "";
  const given = prompt + completion;
  const at = said.indexOf(given);
  if (at < 0) return absent("the server does not echo what it is given");
  const logprobs = member(choice, "logprobs");
  const tokens = completionTokens(logprobs);
  if (tokens === undefined) return absent("the server echoes without log-probabilities");
  const places = placesOf(tokens, given) ?? statedPlaces(logprobs, tokens, said.slice(0, at), given);
  if (places === undefined) return absent("the server's echo cannot be told from its tokens");
  const [start, end] = [places.start + lengthIn(places.unit, prompt), places.start + lengthIn(places.unit, given)];
  // llama-cpp-python's echo takes each token's log-probability from the place behind it where a model has no start token;
  // the last place, that of the generated token, is then missing.
  if (said.length > at + given.length && !places.begins.some((begin) => begin >= end))
    return absent("the server's echo lacks the generated token, so its log-probabilities are not those of its tokens");
  const own = tokens.filter((_, i) => (places.begins[i] as number) >= start && (places.begins[i] as number) < end);
  return named(own);
}

/** Where each token begins, counted in characters (`code points` where the server says it) from the text's start. */
interface Places {
  readonly begins: readonly number[];
  /** Where what was given begins. */
  readonly start: number;
  readonly unit: "utf-16" | "code points";
}

/** By the tokens' own texts: where these make up what was given, whatever stands before it. */
function placesOf(tokens: readonly Token[], given: string): Places | undefined {
  const start = tokens
    .map(({ name }) => name)
    .join("")
    .indexOf(given);
  if (start < 0) return undefined;
  let next = 0;
  const begins = tokens.map(({ name }) => (next += name.length) - name.length);
  return { begins, start, unit: "utf-16" };
}

/** By the server's offsets: a token that is no whole character is written in a form of the server's own. */
function statedPlaces(logprobs: unknown, tokens: readonly Token[], before: string, given: string): Places | undefined {
  const begins = listMember(logprobs, "text_offset");
  if (begins?.length !== tokens.length || !begins.every((each): each is number => Number.isSafeInteger(each)))
    return undefined;
  const first = tokens[0]?.name ?? "";
  // A start token is counted by vLLM, though its echo does not show it.
  const hidden =
    before === "" && first !== "" && !given.startsWith(first) && begins[1] === lengthIn("code points", first);
  return { begins, start: lengthIn("code points", hidden ? first : before), unit: "code points" };
}

function lengthIn(unit: Places["unit"], text: string): number {
  if (unit === "utf-16") return text.length;
  let length = 0;
  for (const _ of text) length++;
  return length;
}

/** vLLM's `prompt_logprobs`: for each token of the prompt an object by token id, of which only its own was asked for. */
export function promptLogprobs(body: unknown, promptTokens: number): NamedLogprobs {
  const choice = firstChoice(body);
  const entries = listMember(choice, "prompt_logprobs") ?? listMember(body, "prompt_logprobs");
  if (entries === undefined) return absent("the server gives no prompt_logprobs");
  if (entries.length !== readUsage(body)?.promptTokens)
    return absent("the server's prompt_logprobs are not one for each token");
  const own = entries.slice(promptTokens).map((entry): Token | undefined => {
    const [first, ...others] = isRecord(entry) ? Object.entries(entry) : [];
    if (first === undefined || others.length > 0) return undefined;
    const [name, value] = first;
    return { name, logprob: isRecord(value) ? member(value, "logprob") : value };
  });
  if (!own.every((token): token is Token => token !== undefined))
    return absent("the server's prompt_logprobs do not say which token each is of");
  return named(own);
}

/** Of a completion that the server generated. */
export function generatedTokens(body: unknown): NamedLogprobs {
  const logprobs = member(firstChoice(body), "logprobs");
  const tokens = completionTokens(logprobs) ?? listMember(logprobs, "content")?.map(contentToken);
  if (!tokens?.every((token): token is Token => token !== undefined))
    return absent("the server generates without log-probabilities");
  return named(tokens);
}

/** `tokens` and `token_logprobs`, as completions have them. */
function completionTokens(logprobs: unknown): readonly Token[] | undefined {
  const names = listMember(logprobs, "tokens");
  const values = listMember(logprobs, "token_logprobs");
  if (names === undefined || names.length !== values?.length) return undefined;
  if (!names.every((name): name is string => typeof name === "string")) return undefined;
  return names.map((name, i) => ({ name, logprob: values[i] }));
}

/** `content`, as chat has it, and llama.cpp for completions too. Tokens that are no whole character look alike; ids tell them apart. */
function contentToken(entry: unknown): Token | undefined {
  const name = textMember(entry, "token");
  if (name === undefined) return undefined;
  const { id } = entry as JsonRecord;
  const told = Number.isSafeInteger(id) && /^$|\uFFFD/.test(name);
  return { name: told ? `${name}#${String(id)}` : name, logprob: member(entry, "logprob") };
}

function named(tokens: readonly Token[]): NamedLogprobs {
  if (tokens.length === 0) return absent("the server gives log-probabilities of no token of the completion");
  const logprobs = tokens.map(({ logprob }) =>
    typeof logprob === "number" && Number.isFinite(logprob) ? logprob : null,
  );
  return { kind: "given", tokens: tokens.map(({ name }) => name), logprobs };
}

function absent(reason: string): NamedLogprobs {
  return { kind: "absent", reason };
}
