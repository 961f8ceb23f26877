/** What a request comes down to, whichever endpoint it came to. */
import { randomUUID } from "node:crypto";
import type { CompletionRequest, RoutingCapture } from "../engine/requests.ts";
import { ApiError, badField } from "./api-error.ts";
import type { ServerContext } from "./context.ts";
import type { Choice, Piece } from "./generate.ts";
import type { PromptTokens } from "./prompts.ts";
import { stopsOf, temperatureOf } from "./request-fields.ts";
import type { CommonFields } from "./request-fields.ts";
import { sglangRoutedExperts, vllmRoutedExperts } from "./routed-experts.ts";

export interface Plan {
  readonly choices: readonly Choice[];
  /** Of all prompts, each counted once. */
  readonly promptTokens: number;
  readonly stream: boolean;
  /** A stream ends with its usage. */
  readonly includeUsage: boolean;
  /** Every piece of a stream has the usage so far. */
  readonly continuousUsage: boolean;
  readonly format: Format;
}

/** What of a plan the common fields decide alone. */
export function streamingOf({ stream, stream_options: options }: CommonFields): Streaming {
  return {
    stream: stream ?? false,
    includeUsage: options?.include_usage ?? false,
    continuousUsage: (options?.include_usage ?? false) && (options?.continuous_usage_stats ?? false),
  };
}

type Streaming = Pick<Plan, "stream" | "includeUsage" | "continuousUsage">;

/** How an endpoint writes its answers. */
export interface Format {
  readonly idPrefix: string;
  readonly object: string;
  readonly chunkObject: string;
  /** Writes one choice: all its pieces, in order, or the one that there is. */
  readonly writer: (choice: Choice) => (piece: Piece) => Written;
}

export interface Written {
  readonly choice: Readonly<Record<string, unknown>>;
  /** What stands beside the choices. */
  readonly beside?: Readonly<Record<string, unknown>>;
}

interface Asked {
  readonly prompts: readonly PromptTokens[];
  /** 0 where nothing is to be generated; undefined: up to the end of the context. */
  readonly maxTokens: number | undefined;
  readonly echo: boolean;
  readonly topLogprobs: number | undefined;
}

/** The choices of a request: `n` for each prompt, in order. */
export function planChoices(context: ServerContext, fields: CommonFields, asked: Asked): Choice[] {
  const { contextLength } = context.engine.config;
  const { prompts, echo, topLogprobs } = asked;
  const maxTokens = Math.min(asked.maxTokens ?? contextLength, contextLength);
  const routing = wantsRouting(context, fields);
  const n = fields.n ?? 1;
  const requestOf = (prompt: PromptTokens, choice: number): CompletionRequest => ({
    prompt: prompt.ids,
    maxTokens,
    stop: stopsOf(fields),
    temperature: temperatureOf(fields),
    // An answer must not depend on the prompts beside it, but several answers to one prompt should differ.
    seed: typeof fields.seed === "number" ? String(fields.seed + choice) : randomUUID(),
    logprobs: topLogprobs !== undefined,
    topLogprobs: topLogprobs ?? 0,
    ignoreEos: fields.ignore_eos ?? false,
    routing,
  });
  const choices = prompts.flatMap((prompt, p) =>
    Array.from({ length: n }, (_, i): Choice => {
      const request = maxTokens === 0 ? undefined : requestOf(prompt, i);
      return { index: p * n + i, prompt, request, echo, topLogprobs, routing };
    }),
  );
  if (routing) checkRouting(context, fields, choices);
  return choices;
}

function wantsRouting(context: ServerContext, fields: CommonFields): boolean {
  const asked = fields.return_routed_experts === true;
  if (asked && context.options.routedExperts === undefined) {
    const message = "the server was not started with --enable-return-routed-experts";
    throw new ApiError(400, message, { param: "return_routed_experts", code: "unsupported" });
  }
  return formOf(context, fields) === "vllm" || asked;
}

function formOf({ options }: ServerContext, fields: CommonFields): "sglang" | "vllm" | undefined {
  if (options.routedExperts !== "as asked") return options.routedExperts;
  return fields.return_routed_experts === true ? "sglang" : "vllm";
}

function checkRouting(context: ServerContext, fields: CommonFields, choices: readonly Choice[]): void {
  const sglang = formOf(context, fields) === "sglang";
  if (sglang && choices.length > 1)
    throw badField("return_routed_experts", "routed experts can only be returned for one completion per request");
  const param = sglang ? "routed_experts_start_len" : "routed_experts_prompt_start";
  const shortest = Math.min(...choices.map(({ prompt }) => prompt.ids.length));
  if (startOf(fields) > shortest)
    throw badField(param, `${param} is ${startOf(fields)}, and the prompt has ${shortest} tokens`);
}

function startOf({ routed_experts_start_len: sglang, routed_experts_prompt_start: vllm }: CommonFields): number {
  return sglang ?? vllm ?? 0;
}

/** The piece's routed experts, for its choice or to stand beside the choices; nothing where it has none. */
export function writeRouting(
  context: ServerContext,
  fields: CommonFields,
  capture: RoutingCapture | undefined,
): { readonly inChoice?: Record<string, unknown>; readonly beside?: Record<string, unknown> } {
  if (capture === undefined) return {};
  const window = { nLayers: context.engine.config.nLayers, start: Math.min(startOf(fields), capture.nTokens) };
  return formOf(context, fields) === "vllm"
    ? { inChoice: { routed_experts: vllmRoutedExperts(capture, window) } }
    : { beside: { sglext: { routed_experts: sglangRoutedExperts(capture, window) } } };
}
