/** Builds what is sent for one prompt. */
import { createHash } from "node:crypto";
import { UserError } from "../../errors.ts";
import type { AskOptions, RunnerPrompt } from "../runner.ts";
import type { Dialect } from "./dialects.ts";

export type Api = "completions" | "chat";

export interface BodySettings {
  readonly dialect: Dialect;
  readonly api: Api;
  readonly model: string;
  readonly stream: boolean;
  readonly ignoreEos: boolean;
  readonly tokenIds: boolean;
  readonly logprobs: boolean;
  /** Added last, over what else there is; `null` takes a field away. */
  readonly extraBody: Readonly<Record<string, unknown>>;
}

/** What decides which question is asked or how its answer is read, or makes it slower: the run's own to set. */
const RESERVED = new Set([
  "prompt",
  "messages",
  "model",
  "stream",
  "stream_options",
  "n",
  "best_of",
  "echo",
  "temperature",
  "max_tokens",
  "max_completion_tokens",
  "stop",
  "return_routed_experts",
]);

/** @throws UserError that names the field or the option which cannot be sent */
export function checkBodySettings({ dialect, ignoreEos, tokenIds, logprobs, extraBody }: CheckedSettings): void {
  const refused = Object.keys(extraBody).find((name) => RESERVED.has(name));
  if (refused !== undefined)
    throw new UserError(`extra body field "${refused}" would contradict the run's own settings; use its flag instead`);
  const lacking = [
    ignoreEos && !dialect.ignoreEos && "ignore_eos",
    tokenIds && dialect.tokenIdsField === undefined && "token ids",
    logprobs && !dialect.logprobs && "log-probabilities",
  ].find((name) => name !== false);
  if (lacking !== undefined)
    throw new UserError(`this engine's dialect does not offer ${lacking}; leave it out, or choose another --engine`);
}

type CheckedSettings = Pick<BodySettings, "dialect" | "ignoreEos" | "tokenIds" | "logprobs" | "extraBody">;

export function buildBody(prompt: RunnerPrompt, options: AskOptions, settings: BodySettings): string {
  const { dialect, api, stream, ignoreEos, tokenIds, logprobs, extraBody } = settings;
  const { maxTokens, temperature, stop, seed } = options;
  const fields: Record<string, unknown> = {
    model: dialect.wireModel ?? settings.model,
    ...asked(prompt, api),
    max_tokens: maxTokens,
    // Servers have defaults of 0.7 to 1, or the model's own.
    temperature,
    ...(temperature > 0 && dialect.samplingFields),
    ...(dialect.seed && { seed: seedNumber(seed) }),
    ...(stop.length > 0 && { stop: stop.slice(0, dialect.maxStops) }),
    ...(ignoreEos && { ignore_eos: true }),
    ...(logprobs && (api === "chat" ? { logprobs: true, top_logprobs: 1 } : { logprobs: 1 })),
    ...(tokenIds && dialect.tokenIdsField !== undefined && { [dialect.tokenIdsField]: true }),
    ...(stream && { stream: true, ...(dialect.streamOptions && { stream_options: { include_usage: true } }) }),
    ...dialect.fields,
  };
  const removed = new Set(Object.keys(extraBody).filter((name) => extraBody[name] === null));
  const all = Object.entries({ ...fields, ...extraBody }).filter(([name]) => !removed.has(name));
  return JSON.stringify(Object.fromEntries(all));
}

function asked(prompt: RunnerPrompt, api: Api): Record<string, unknown> {
  if (prompt.kind === "completion" && api === "completions") return { prompt: prompt.text };
  if (prompt.kind === "chat" && api === "chat") return { messages: prompt.messages };
  throw new UserError(`a ${prompt.kind} prompt cannot be sent to the ${api} API; ask with --chat, or without`);
}

/** 31 bits of the seed's hash: every server takes them, and llama.cpp's "random" (-1) is not among them. */
function seedNumber(seed: string): number {
  return createHash("sha256").update(seed).digest().readUInt32BE() >>> 1;
}
