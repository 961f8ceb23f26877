/** How each kind of server words its answers, streams and errors: shapes recorded in engines.md, built for given texts. */
import type { DialectName } from "../../../runners/openai/index.ts";

export type Body = Readonly<Record<string, unknown>>;

/** What is to be said. */
export interface Saying {
  /** The text, token by token. */
  readonly tokens: readonly string[];
  readonly finish: "stop" | "length";
  readonly promptTokens: number;
  readonly reasoning?: string;
  /** Tokens per event of a stream, as a server in arrears sends them. Default: 1. */
  readonly merge?: number;
}

export interface Shape {
  readonly chat: boolean;
  readonly model: string;
  readonly body: Body;
}

/** A whole, unstreamed answer. */
export function wholeAnswer(
  dialect: DialectName,
  { tokens, finish, promptTokens, reasoning }: Saying,
  shape: Shape,
): Body {
  const { chat, model, body } = shape;
  const text = tokens.join("");
  const message = {
    role: "assistant",
    content: text,
    ...(reasoning !== undefined && { [reasoningKey(dialect)]: reasoning }),
  };
  return {
    id: "cmpl-1",
    object: chat ? "chat.completion" : "text_completion",
    model,
    choices: [
      {
        index: 0,
        ...(chat ? { message } : { text }),
        logprobs: logprobs(dialect, tokens, shape),
        finish_reason: finishReason(dialect, finish),
        ...extras(dialect, finish),
        ...(body["return_token_ids"] === true && {
          token_ids: tokens.map((_, i) => i),
          prompt_token_ids: [7],
        }),
      },
    ],
    usage: {
      ...usage(promptTokens, tokens.length),
      ...(dialect === "atom" && { ttft_s: 0.01, tpot_s: 0.001, latency_s: 0.1 }),
    },
  };
}

/** The events of a stream, each to be put behind `data: `; an array is written in one go. */
export function streamedAnswer(
  dialect: DialectName,
  saying: Saying,
  shape: Shape,
): readonly (readonly (Body | string)[])[] {
  const { tokens, finish, promptTokens, reasoning } = saying;
  const { chat, model, body } = shape;
  const event = (choice: Body | undefined, more: Body = {}): Body => ({
    id: "cmpl-1",
    object: chat ? "chat.completion.chunk" : "text_completion",
    model,
    choices: choice === undefined ? [] : [{ index: 0, ...choice }],
    ...more,
  });
  const none = dialect === "tgi" ? "" : null;
  const piece = (text: string, finish_reason: string | null, i: number): Body => ({
    ...(chat ? { delta: { content: text } } : { text }),
    logprobs: dialect === "atom" ? null : logprobs(dialect, [text], shape),
    finish_reason,
    ...(body["return_token_ids"] === true && { token_ids: [i] }),
  });
  const opening = [
    ...(chat
      ? [event({ delta: { role: "assistant", content: dialect === "atom" ? null : "" }, finish_reason: none })]
      : []),
    ...(reasoning === undefined ? [] : [event({ delta: { [reasoningKey(dialect)]: reasoning }, finish_reason: none })]),
  ];
  const reason = finishReason(dialect, finish);
  const asked = (body["stream_options"] as Body | undefined)?.["include_usage"] === true;
  const used = { usage: usage(promptTokens, tokens.length) };
  const last = merged(tokens, saying.merge ?? 1).length - 1;
  // TGI and Transformers give the usage with the last piece, asked or not.
  const together = dialect === "tgi" || dialect === "transformers";
  const pieces = merged(tokens, saying.merge ?? 1).map((text, i) =>
    event(piece(text, i === last ? reason : none, i), i === last && together ? used : {}),
  );
  const end: (Body | string)[] = [
    ...(tokens.length === 0 ? [event(piece("", reason, 0), together ? used : {})] : []),
    // After the real reason, always another "stop".
    ...(dialect === "atom" ? [event(piece("", "stop", 0))] : []),
    ...(dialect === "atom" || (asked && !together) ? [event(undefined, used)] : []),
    ...(dialect === "tgi" ? [] : ["[DONE]"]),
  ];
  return [...opening.map((one) => [one]), ...pieces.slice(0, -1).map((one) => [one]), [...pieces.slice(-1), ...end]];
}

function merged(tokens: readonly string[], size: number): string[] {
  const starts = tokens.map((_, i) => i).filter((i) => i % size === 0);
  return starts.map((start) => tokens.slice(start, start + size).join(""));
}

/** An error's body, as the dialect words it. */
export function errorBody(dialect: DialectName, status: number, message: string): Body {
  switch (dialect) {
    case "atom":
      return { detail: status === 422 ? [{ type: "value_error", loc: ["body"], msg: message }] : message };
    case "transformers":
      return { detail: message };
    case "sglang":
      return { object: "error", message, type: "BadRequestError", param: null, code: status };
    case "tgi":
      return { error: message, error_type: "generation" };
    case "llama-cpp":
      return { error: { code: status, message, type: "server_error" } };
    default:
      return { error: { message, type: "server_error", param: null, code: status } };
  }
}

/** What each server refuses, as `[status, message]`; undefined for a request that it takes. */
export function refusal(dialect: DialectName, { body, chat, model }: Shape): readonly [number, string] | undefined {
  const { stop } = body;
  const stops = Array.isArray(stop) ? stop.length : 0;
  const known = dialect === "tgi" ? "tgi" : model;
  if (body["model"] !== known)
    return [dialect === "atom" ? 400 : 404, `The model ${String(body["model"])} does not exist`];
  if (stop !== undefined && !Array.isArray(stop)) return [422, "stop must be a list"];
  if ((dialect === "openai" || dialect === "tgi") && stops > 4)
    return [dialect === "tgi" ? 422 : 400, "at most 4 stops"];
  if (dialect === "tgi" && Number(body["top_p"] ?? 0.5) >= 1) return [422, "top_p must be < 1.0"];
  if (body["stream_options"] !== undefined && body["stream"] !== true) return [400, "stream_options needs stream"];
  const unknown = Object.keys(body).find((field) => !FIELDS.has(field));
  if ((dialect === "transformers" || dialect === "openai") && unknown !== undefined)
    return [422, `unexpected field ${unknown}`];
  if (dialect === "transformers" && (body["stream_options"] ?? body["logprobs"]) !== undefined)
    return [422, "not implemented"];
  return (chat ? Array.isArray(body["messages"]) : typeof body["prompt"] === "string") ? undefined : [422, "no prompt"];
}

const FIELDS = new Set(
  "model prompt messages max_tokens temperature top_p seed stop stream stream_options logprobs top_logprobs".split(" "),
);

function reasoningKey(dialect: DialectName): string {
  return dialect === "vllm" ? "reasoning" : "reasoning_content";
}

function finishReason(dialect: DialectName, finish: Saying["finish"]): string {
  return dialect === "tgi" && finish === "stop" ? "eos_token" : finish;
}

function extras(dialect: DialectName, finish: Saying["finish"]): Body {
  if (dialect === "vllm") return { stop_reason: null };
  return dialect === "sglang" ? { matched_stop: finish === "stop" ? 2 : null } : {};
}

function usage(prompt: number, completion: number): Body {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

function logprobs(dialect: DialectName, tokens: readonly string[], { body, chat }: Shape): Body | null {
  if (body["logprobs"] === undefined) return null;
  const content = tokens.map((token) => ({ token, logprob: -0.25, top_logprobs: [] }));
  return chat || dialect === "llama-cpp" ? { content } : { tokens, token_logprobs: tokens.map(() => -0.25) };
}
