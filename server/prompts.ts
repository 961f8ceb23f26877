/** Turns what a client sent as a prompt into tokens, or says why it cannot be run. */
import type { ChatMessage } from "../engine/tokenizer.ts";
import { ApiError, badField } from "./api-error.ts";
import type { ServerContext } from "./context.ts";
import { promptText } from "./vocabulary.ts";

export interface PromptTokens {
  readonly ids: readonly number[];
  readonly text: string;
}

/**
 * Reads the `prompt` of a completion: a text, the ids of its tokens, or a list of either.
 *
 * @param generates - whether room for an answer is needed
 * @throws ApiError 400
 */
export function readPrompts(context: ServerContext, prompt: unknown, generates: boolean): readonly PromptTokens[] {
  const list = isListOfPrompts(prompt) ? prompt : [prompt];
  const { vocabSize } = context.engine.config;
  return list.map((each) => {
    if (typeof each === "string") {
      checkBytes(context, Buffer.byteLength(each), "prompt");
      const ids = context.engine.tokenizer.encode(each);
      checkLength(context, ids.length, generates, "prompt");
      return { ids, text: each };
    }
    if (!Array.isArray(each))
      throw badField("prompt", "prompt must be a text, a list of token ids, or a list of either");
    checkLength(context, each.length, generates, "prompt");
    const wrong = each.findIndex((id) => !(Number.isSafeInteger(id) && id >= 0 && id < vocabSize));
    if (wrong >= 0)
      throw badField("prompt", `prompt: item ${wrong} is not a token id, a whole number from 0 to ${vocabSize - 1}`);
    const ids = each as readonly number[];
    return { ids, text: promptText(context.vocabulary, ids) };
  });
}

/** @throws ApiError 400 */
export function readChat(context: ServerContext, messages: readonly ChatMessage[]): readonly number[] {
  if (!context.canChat) throw badField("messages", "this model has no chat template; use /v1/completions");
  checkBytes(
    context,
    messages.reduce((bytes, { content }) => bytes + Buffer.byteLength(content), 0),
    "messages",
  );
  let ids: readonly number[];
  try {
    ids = context.engine.tokenizer.encodeChat(messages);
  } catch {
    // What the template says of it would name the model's folder.
    throw badField("messages", "the model's chat template does not take these messages");
  }
  checkLength(context, ids.length, true, "messages");
  return ids;
}

/**
 * As vLLM and OpenAI have it: more tokens than the context has room for are refused, not cut to what there is, so that
 * nobody takes an answer that had less room for one that had what was asked for.
 *
 * @param maxTokens - as the client gave it; where it gave none, an answer ends with the context
 * @throws ApiError 400
 */
export function checkRoom(
  { engine }: ServerContext,
  prompts: readonly Pick<PromptTokens, "ids">[],
  param: string,
  maxTokens: number | null | undefined,
): void {
  const { contextLength } = engine.config;
  const longest = Math.max(...prompts.map(({ ids }) => ids.length));
  if (typeof maxTokens !== "number" || longest + maxTokens <= contextLength) return;
  // Clients look for the first sentence, which is the protocol's.
  const message =
    `This model's maximum context length is ${contextLength} tokens. However, you requested ${longest + maxTokens} tokens ` +
    `(${longest} in the prompt, ${maxTokens} for the completion): ${param} can be at most ${contextLength - longest}`;
  throw tooLong(param, message);
}

function isListOfPrompts(prompt: unknown): prompt is readonly unknown[] {
  return Array.isArray(prompt) && (typeof prompt[0] === "string" || Array.isArray(prompt[0]));
}

/** Keeps a text that cannot fit from being tokenized, which takes its time. */
function checkBytes({ engine, vocabulary }: ServerContext, bytes: number, param: string): void {
  const most = engine.config.contextLength * vocabulary.longest;
  if (bytes > most)
    throw tooLong(
      param,
      `a text of ${bytes} bytes does not fit the model's context of ${engine.config.contextLength} tokens`,
    );
}

function checkLength({ engine }: ServerContext, length: number, generates: boolean, param: string): void {
  const { contextLength } = engine.config;
  if (length === 0) throw badField(param, `${param}: there is no token in it`);
  if (length + (generates ? 1 : 0) > contextLength) {
    const room = generates ? " and an answer" : "";
    throw tooLong(param, `the model's context holds ${contextLength} tokens: the prompt's ${length}${room} do not fit`);
  }
}

function tooLong(param: string, message: string): ApiError {
  return new ApiError(400, message, { param, code: "context_length_exceeded" });
}
