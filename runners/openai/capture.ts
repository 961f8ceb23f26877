/**
 * Captures from a server: asks for prompts again, with their routing. On connections of its own and outside of the
 * runner's counts, so that nothing that is timed knows of it.
 */
import { randomUUID } from "node:crypto";
import { listMember } from "../json-read.ts";
import { absent, broken } from "../routed-experts/capture-result.ts";
import type { CapturedSequence, CaptureRequest, SequenceTokens } from "../routed-experts/captured-sequence.ts";
import { firstTokens } from "../routed-experts/layer-major.ts";
import { readCapture } from "../routed-experts/read-capture.ts";
import type { CaptureResult } from "../routed-experts/capture-result.ts";
import type { RunnerPrompt } from "../runner.ts";
import { askJson } from "./ask-json.ts";
import type { Breaker } from "./breaker.ts";
import type { CaptureSetup } from "./capture-options.ts";
import { generatedLogprobs, givenLogprobs, noLogprobs } from "./capture-logprobs.ts";
import { firstChoice, readPiece, readUsage } from "./completion.ts";
import type { Usage } from "./completion.ts";
import type { Holds } from "./holds.ts";
import type { ResolvedOptions } from "./options.ts";
import { buildBody } from "./request-body.ts";
import { RequestFailedError } from "./request-failed-error.ts";
import type { Traffic } from "./stats.ts";
import { Transport } from "./transport.ts";

export interface Capturer {
  readonly capture: (prompt: RunnerPrompt, request: CaptureRequest, signal: AbortSignal) => Promise<CapturedSequence>;
  close(): Promise<void>;
}

export interface CapturerOptions extends Omit<ResolvedOptions, "captures" | "breaker"> {
  readonly breaker: Breaker;
  readonly holds: Holds;
  /** Ends, with its reason, whatever is asked. */
  readonly closed: AbortSignal;
  /** Counted into. */
  readonly traffic: Traffic;
  readonly captures: CaptureSetup;
  readonly model: string;
}

/** With these, a server that was asked for too much may answer when it is asked for less. */
const REFUSALS = new Set([400, 422, 500, 501]);

type Fields = Readonly<Record<string, unknown>>;

export function createCapturer(options: CapturerOptions): Capturer {
  const { captures, dialect, api, extraBody, baseUrls, timeouts } = options;
  const limits = { ...options.limits, maxResponseBytes: captures.maxResponseBytes };
  const [first, ...others] = baseUrls;
  const open = (url: URL): Transport => new Transport(url, timeouts, limits);
  const transports: [Transport, ...Transport[]] = [open(first), ...others.map(open)];
  const settings = {
    dialect,
    api,
    model: options.model,
    stream: false,
    ignoreEos: options.ignoreEos,
    tokenIds: false,
    logprobs: dialect.logprobs,
  };
  const chatOrNot = api === "chat" ? "/chat/completions" : "/completions";
  const ask = (path: string, body: () => string, signal: AbortSignal): Promise<unknown> =>
    askJson(transports, { path, body }, options, signal);

  /** A salt of its own keeps an attempt off the prefix cache: all of its rows are then routed in it. */
  const fields = (): Fields => ({ ...captures.fields, cache_salt: randomUUID() });

  const generate = (
    prompt: RunnerPrompt,
    asked: { readonly maxTokens: number; readonly stop: readonly string[]; readonly promptIds?: readonly number[] },
    more: () => Fields,
    signal: AbortSignal,
  ): Promise<unknown> => {
    const { promptIds, ...rest } = asked;
    const greedy = { ...rest, temperature: 0, seed: "capture" };
    const fixed = { ...extraBody, return_token_ids: true };
    if (promptIds === undefined) {
      const body = (): string => buildBody(prompt, greedy, { ...settings, extraBody: { ...fixed, ...more() } });
      return ask(chatOrNot, body, signal);
    }
    // Only completions take token ids, whatever the prompts of the run are.
    const empty = { kind: "completion", text: "" } as const;
    const ids = { ...settings, api: "completions" } as const;
    const body = (): string =>
      buildBody(empty, greedy, { ...ids, extraBody: { ...fixed, prompt: promptIds, ...more() } });
    return ask("/completions", body, signal);
  };

  const generated = async (
    prompt: RunnerPrompt,
    request: CaptureRequest & { kind: "generated" },
    signal: AbortSignal,
  ): Promise<CapturedSequence> => {
    const body = await generate(prompt, request, fields, signal);
    const tokens = readTokens(body);
    const usage = readUsage(body);
    const known = tokens.kind === "known" ? { inputIds: [...tokens.prompt, ...tokens.completion] } : {};
    const routing = usage === undefined ? noUsage() : readCapture(body, { ...captures, ...usage, ...known });
    return { tokens, routing, logprobs: generatedLogprobs(body, tokens) };
  };

  const given = async (
    prompt: RunnerPrompt,
    { completion, promptIds }: CaptureRequest & { kind: "given" },
    signal: AbortSignal,
  ): Promise<CapturedSequence> => {
    if (completion.length === 0) throw new RangeError("a completion without tokens cannot be given");
    const known = typeof completion === "string" ? await tokenize(prompt, completion, signal) : undefined;
    const start = known?.prompt ?? promptIds ?? (await idsOf(prompt, signal));
    const end = typeof completion === "string" ? known?.completion : completion;
    if (start === undefined || end === undefined) {
      const reason = "the server does not say which tokens a prompt is made of, so none can be given to both variants";
      return {
        tokens: { kind: "unknown", reason },
        routing: absent("no-tokens", reason),
        logprobs: noLogprobs(reason),
      };
    }
    const sequence = [...start, ...end];
    const body = await askGiven(sequence, signal);
    const tokens = { kind: "known", prompt: start, completion: end } as const;
    const wrong = otherTokens(body, sequence);
    // Log-probabilities of other tokens are no better than their routing.
    if (wrong !== undefined) return { tokens, routing: wrong, logprobs: noLogprobs(wrong.reason) };
    const usage = readUsage(body) as Usage;
    const routing = readCapture(body, { ...captures, ...usage, inputIds: sequence });
    return { tokens, routing: withoutLast(routing, sequence), logprobs: givenLogprobs(body, sequence, start.length) };
  };

  /** Asking for a single token is what every server takes; what it is does not matter. */
  const idsOf = async (prompt: RunnerPrompt, signal: AbortSignal): Promise<readonly number[] | undefined> =>
    promptIdsOf(await generate(prompt, { maxTokens: 1, stop: [] }, () => ({}), signal));

  /** What the server makes of a prompt and a completion. They are not always the tokens that were once generated. */
  const tokenize = async (
    prompt: RunnerPrompt,
    text: string,
    signal: AbortSignal,
  ): Promise<{ readonly prompt: readonly number[]; readonly completion: readonly number[] } | undefined> => {
    const start = await idsOf(prompt, signal);
    const one = { maxTokens: 1, stop: [], temperature: 0, seed: "capture" };
    // Behind a conversation no start token belongs.
    const more = { return_token_ids: true, ...(prompt.kind === "chat" && { add_special_tokens: false }) };
    const whole = prompt.kind === "completion" ? prompt.text + text : text;
    const body = (): string =>
      buildBody({ kind: "completion", text: whole }, one, {
        ...settings,
        api: "completions",
        logprobs: false,
        extraBody: { ...extraBody, ...more },
      });
    const ids = promptIdsOf(await ask("/completions", body, signal));
    if (start === undefined || ids === undefined) return undefined;
    if (prompt.kind === "chat") return { prompt: start, completion: ids };
    // Where the two texts meet, one token may have become part of both; it is the completion's then.
    const differing = start.findIndex((id, at) => id !== ids[at]);
    const shared = differing < 0 ? start.length : differing;
    return { prompt: ids.slice(0, shared), completion: ids.slice(shared) };
  };

  const askGiven = async (sequence: readonly number[], signal: AbortSignal): Promise<unknown> => {
    const removed = new Set(Object.keys(extraBody).filter((name) => extraBody[name] === null));
    const body = (more: Fields) => (): string => {
      const all = {
        ...dialect.fields,
        ...extraBody,
        model: dialect.wireModel ?? options.model,
        prompt: sequence,
        max_tokens: 1,
        temperature: 0,
        return_token_ids: true,
        ...more,
        ...fields(),
      };
      return JSON.stringify(Object.fromEntries(Object.entries(all).filter(([name]) => !removed.has(name))));
    };
    try {
      return await ask("/completions", body({ echo: true, logprobs: 1 }), signal);
    } catch (error) {
      // Not every version gives log-probabilities of a prompt together with everything else; some break over it.
      if (!(error instanceof RequestFailedError) || !REFUSALS.has(error.status ?? 0)) throw error;
      return ask("/completions", body({}), signal);
    }
  };

  return {
    capture: (prompt, request, signal) =>
      request.kind === "given" ? given(prompt, request, signal) : generated(prompt, request, signal),
    close: async () => {
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}

/** Chat gives the prompt's ids with the response, completions with the choice. */
function promptIdsOf(body: unknown): readonly number[] | undefined {
  const lists = [firstChoice(body), body].map((at) => listMember(at, "prompt_token_ids"));
  return lists.find((ids): ids is readonly number[] => ids !== undefined && ids.length > 0 && ids.every(isTokenId));
}

function isTokenId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function readTokens(body: unknown): SequenceTokens {
  const choice = firstChoice(body);
  const completion = choice && readPiece(choice).tokenIds;
  const prompt = promptIdsOf(body);
  if (prompt === undefined || completion === undefined || !completion.every(isTokenId))
    return { kind: "unknown", reason: "the server does not say which tokens it ran" };
  const usage = readUsage(body);
  if (usage?.promptTokens !== prompt.length || usage.completionTokens !== completion.length)
    return { kind: "unknown", reason: "the server counts other tokens than it names" };
  return { kind: "known", prompt, completion };
}

/** @returns what is wrong; undefined where the server ran exactly the given tokens */
function otherTokens(body: unknown, sequence: readonly number[]): ReturnType<typeof broken> | undefined {
  const usage = readUsage(body);
  if (usage === undefined) return noUsage();
  if (usage.promptTokens !== sequence.length)
    return broken(
      "other-tokens",
      `the server was given ${sequence.length} tokens and ran ${usage.promptTokens} (does it truncate, or add one?)`,
    );
  const ran = promptIdsOf(body);
  const differing = ran?.findIndex((id, i) => id !== sequence[i]) ?? -1;
  if (differing < 0) return undefined;
  return broken("other-tokens", `the server was given token ${sequence[differing]} and ran ${ran?.[differing]}`);
}

function noUsage(): ReturnType<typeof broken> {
  return broken("other-tokens", "the server does not say how many tokens it ran (no usage)");
}

/** As everywhere, the completion's last token is not part of a capture. */
function withoutLast(result: CaptureResult, sequence: readonly number[]): CaptureResult {
  if (result.kind !== "captured") return result;
  return { ...result, routing: firstTokens(result.routing, sequence.length - 1) };
}
