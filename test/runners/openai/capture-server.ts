/**
 * A real HTTP server around a model of a few lines: its tokens are characters, it says and routes what depends on all
 * tokens before. It gives routed experts as SGLang and vLLM do, and drops without a word what these drop.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { OpenAiRunner, OpenAiRunnerOptions } from "../../../runners/openai/index.ts";
import type { MoeLayout } from "../../../runners/routed-experts/index.ts";
import { choose, int32Text, nested, npyText, packed } from "../routed-experts/encode.ts";
import type { Ids } from "../routed-experts/encode.ts";
import { openTestRunner, startTestServer } from "./ask.ts";
import type { Body } from "./dialect-shapes.ts";
import { MODEL } from "./replay-server.ts";
import type { ReplayServer } from "./replay-server.ts";

export const LAYOUT: MoeLayout = { nLayers: 3, moeLayers: [1, 2], nExpertsTot: 32, nExpertsAct: 4 };

/** Nothing here waits for a clock; a busy machine must not run into one. */
export const PATIENT = { firstByteMs: 30_000, idleMs: 30_000, totalMs: 60_000 } as const;

export type Giving = "sglext" | "sglext-of-choice" | "vllm" | "vllm-0.21" | "prime-rl" | "nothing" | "null";

/** Says how a request is turned away, if it is. */
export type Refusal = () => { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined;

export interface CaptureServerOptions {
  readonly giving: Giving;
  /** Experts of the token at the end of a sequence. Default: as the model has it. */
  readonly route?: (sequence: readonly number[], layer: number) => readonly number[];
  /** What is said after a sequence. Default: a letter that depends on it. */
  readonly next?: (sequence: readonly number[]) => number;
  /** Default: true. */
  readonly tellsTokenIds?: boolean;
  /** Prefixes with the same salt, or without one, are answered from a cache. Default: false. */
  readonly prefixCache?: boolean;
  /** The status with which log-probabilities of prompts are refused. Default: they are given. */
  readonly echoStatus?: number;
  /** Puts a start token before whatever it is given. Default: false. */
  readonly addsStart?: boolean;
  /** Default: nothing is. */
  readonly refuse?: Refusal;
  /** The last word on a response. */
  readonly spoil?: (response: Record<string, unknown>) => unknown;
}

export function routeOf(sequence: readonly number[], layer: number): readonly number[] {
  return choose(LAYOUT.nExpertsAct, LAYOUT.nExpertsTot, layer, ...sequence);
}

export async function openOnCaptures(
  server: CaptureServerOptions,
  options: Partial<OpenAiRunnerOptions> = {},
): Promise<{ readonly server: ReplayServer; readonly runner: OpenAiRunner }> {
  const started = await startTestServer({ intercept: answering(server) });
  const dialect = server.giving.startsWith("sglext") ? "sglang" : "vllm";
  const runner = await openTestRunner({
    baseUrls: [started.baseUrl],
    dialect,
    captures: { layout: LAYOUT },
    timeouts: PATIENT,
    ...options,
  });
  return { server: started, runner };
}

function answering(
  options: CaptureServerOptions,
): (request: IncomingMessage, response: ServerResponse, body: Body) => boolean {
  const cache = new Set<string>();
  return (request, response, body) => {
    if (request.method !== "POST") return false;
    const away = options.refuse?.();
    if (away !== undefined) {
      response.writeHead(away.status, away.headers).end();
      return true;
    }
    const refused = options.echoStatus !== undefined && body["echo"] === true;
    const answer = refused
      ? { error: { message: "prompt log-probabilities are not supported", code: options.echoStatus } }
      : complete(options, cache, body, request.url === "/v1/chat/completions");
    response.writeHead((refused && options.echoStatus) || 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer));
    return true;
  };
}

function complete(options: CaptureServerOptions, cache: Set<string>, body: Body, chat: boolean): unknown {
  const { giving, next = nextLetter, tellsTokenIds = true, addsStart = false } = options;
  const prompt = [...(addsStart ? [1] : []), ...tokensOf(body)];
  const completion: number[] = [];
  const most = Math.min(Number(body["max_tokens"]), 6);
  while (completion.length < most) completion.push(next([...prompt, ...completion]));
  const all = [...prompt, ...completion];
  const told = tellsTokenIds && body["return_token_ids"] === true;
  const echo = body["echo"] === true;
  const scored = echo ? all : completion;
  const values = scored.map((_, i) => (echo && i === 0 ? null : logprobOf(all, all.length - scored.length + i)));
  const text = String.fromCharCode(...scored);
  const response: Record<string, unknown> = {
    model: MODEL,
    choices: [
      {
        index: 0,
        ...(chat ? { message: { content: text } } : { text }),
        finish_reason: "length",
        logprobs: chat ? { content: values.map((logprob) => ({ logprob })) } : { token_logprobs: values },
        ...(told && { token_ids: completion, ...(!chat && { prompt_token_ids: prompt }) }),
        ...choicePart(options, cache, body, prompt, all),
      },
    ],
    ...(told && chat && { prompt_token_ids: prompt }),
    ...responsePart(options, cache, body, prompt, all),
    usage: { prompt_tokens: prompt.length, completion_tokens: completion.length },
  };
  if (giving === "vllm-0.21") remember(cache, body, all);
  return options.spoil?.(response) ?? response;
}

export function logprobOf(all: readonly number[], position: number): number {
  return -((all[position] as number) + position) / 256;
}

function nextLetter(sequence: readonly number[]): number {
  return 97 + (sequence.reduce((sum, id) => sum + id, 0) % 26);
}

function tokensOf(body: Body): readonly number[] {
  const { prompt, messages } = body;
  if (Array.isArray(prompt)) return prompt as number[];
  const text = Array.isArray(messages) ? messages.map((each: { content: string }) => each.content).join("\n") : prompt;
  return characterIds(String(text));
}

/** The tokens of a text. */
export function characterIds(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

function idsOf({ route = routeOf }: CaptureServerOptions, all: readonly number[]): Ids {
  const layers = [...Array.from({ length: LAYOUT.nLayers }).keys()];
  const values = all
    .slice(0, -1)
    .flatMap((_, row) => layers.flatMap((layer) => (layer === 0 ? [0, 0, 0, 0] : route(all.slice(0, row + 1), layer))));
  return { rows: all.length - 1, layers: LAYOUT.nLayers, k: LAYOUT.nExpertsAct, values };
}

function choicePart(
  options: CaptureServerOptions,
  cache: Set<string>,
  body: Body,
  prompt: readonly number[],
  all: readonly number[],
): object {
  const ids = idsOf(options, all);
  switch (options.giving) {
    case "sglext-of-choice":
      return body["return_routed_experts"] === true ? { sglext: { routed_experts: int32Text(ids) } } : {};
    case "vllm":
      return { routed_experts: npyText(ids, "|u1") };
    case "vllm-0.21":
      return { routed_experts: nested(lists(options, cache, body, all), prompt.length) };
    case "prime-rl":
      return {
        routed_experts: npyText(
          packed(
            ids,
            Array.from(ids.values, () => 0.25),
          ),
          "<i4",
        ),
      };
    case "null":
      return { routed_experts: null };
    default:
      return {};
  }
}

function responsePart(
  options: CaptureServerOptions,
  cache: Set<string>,
  body: Body,
  prompt: readonly number[],
  all: readonly number[],
): object {
  if (options.giving === "sglext" && body["return_routed_experts"] === true)
    return { sglext: { routed_experts: int32Text(idsOf(options, all)) } };
  if (options.giving === "vllm-0.21")
    return { prompt_routed_experts: nested(lists(options, cache, body, all), 0, prompt.length) };
  return {};
}

/** -1 in the rows that the cache answered. */
function lists(options: CaptureServerOptions, cache: Set<string>, body: Body, all: readonly number[]): Ids {
  const ids = idsOf(options, all);
  if (options.prefixCache !== true) return ids;
  const width = ids.layers * ids.k;
  const cached = all.map((_, row) => cache.has(cacheKey(body, all.slice(0, row + 1))));
  return { ...ids, values: ids.values.map((id, i) => (cached[Math.floor(i / width)] === true ? -1 : id)) };
}

function remember(cache: Set<string>, body: Body, all: readonly number[]): void {
  for (let end = 1; end < all.length; end++) cache.add(cacheKey(body, all.slice(0, end)));
}

function cacheKey(body: Body, prefix: readonly number[]): string {
  return `${String(body["cache_salt"])}:${prefix.join()}`;
}
