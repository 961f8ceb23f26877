/**
 * Log-probabilities from a server that shows no routing: asked for apart from the answers, on connections of its own and
 * outside of the runner's counts, so that nothing that is timed knows of it. What a server can do is found by trying it.
 */
import type { LogprobRequest, LogprobWay, RunnerPrompt, TokenLogprobs } from "../runner.ts";
import { toAnswer } from "./answer.ts";
import type { Asked } from "./answer.ts";
import { askJson } from "./ask-json.ts";
import type { Breaker } from "./breaker.ts";
import { firstChoice, readPiece, readUsage } from "./completion.ts";
import { transient } from "./failure.ts";
import type { Holds } from "./holds.ts";
import type { ResolvedOptions } from "./options.ts";
import { buildBody } from "./request-body.ts";
import { RequestFailedError } from "./request-failed-error.ts";
import type { Traffic } from "./stats.ts";
import { echoedLogprobs, generatedTokens, promptLogprobs } from "./token-logprobs.ts";
import type { NamedLogprobs } from "./token-logprobs.ts";
import { Transport } from "./transport.ts";

export interface LogprobAsker {
  readonly logprobs: (prompt: RunnerPrompt, request: LogprobRequest, signal: AbortSignal) => Promise<TokenLogprobs>;
  close(): Promise<void>;
}

export interface LogprobAskerOptions extends Omit<ResolvedOptions, "captures" | "breaker"> {
  readonly breaker: Breaker;
  readonly holds: Holds;
  /** Ends, with its reason, whatever is asked. */
  readonly closed: AbortSignal;
  /** Counted into. */
  readonly traffic: Traffic;
  readonly model: string;
}

interface Question {
  readonly prompt: RunnerPrompt;
  readonly request: LogprobRequest;
  readonly signal: AbortSignal;
}

type Fields = Readonly<Record<string, unknown>>;

/** One way to ask; the first that a server can do is taken. */
interface Way {
  readonly way: LogprobWay;
  /** For messages: `asked for ...: HTTP 400`. */
  readonly about: string;
  readonly ask: (question: Question) => Promise<NamedLogprobs>;
}

/**
 * Statuses that say what a server cannot do, with the attempts after which they are believed: a server that breaks over a
 * request does not always say it better than with a 500, which may as well be an accident.
 */
const REFUSALS: ReadonlyMap<number, number> = new Map([
  ...[400, 404, 405, 415, 422, 501].map((status) => [status, 1] as const),
  [500, 3],
]);

export function createLogprobAsker(options: LogprobAskerOptions): LogprobAsker {
  const { dialect, api, model, ignoreEos, extraBody, baseUrls, timeouts, limits, headers } = options;
  const [first, ...others] = baseUrls;
  const open = (url: URL): Transport => new Transport(url, timeouts, limits);
  const transports: [Transport, ...Transport[]] = [open(first), ...others.map(open)];
  const settings = { dialect, model, stream: false, ignoreEos, tokenIds: false };

  const send = (path: string, body: string, asked: Asked, signal: AbortSignal): Promise<unknown> => {
    // What an answer lacks is only believed of what is one.
    const check = (json: unknown): void => {
      const choice = firstChoice(json);
      if (choice === undefined) throw transient("no-choices", "the response has no choice");
      toAnswer({ ...readPiece(choice), usage: readUsage(json) }, asked, headers.redact);
    };
    return askJson(transports, { path, body: () => body, final: REFUSALS, check }, options, signal);
  };

  /** A single token is what every server can be asked for; what it is does not matter. */
  const give = (text: string, more: Fields, signal: AbortSignal): Promise<unknown> => {
    const one = { maxTokens: 1, stop: [], temperature: 0, seed: "log-probabilities" };
    const own = { ...settings, api: "completions", ignoreEos: false, logprobs: false } as const;
    const body = buildBody({ kind: "completion", text }, one, { ...own, extraBody: { ...extraBody, ...more } });
    return send("/completions", body, one, signal);
  };

  const echo = async ({ prompt, request: { completion }, signal }: Question): Promise<NamedLogprobs> => {
    const before = textOf(prompt);
    return echoedLogprobs(await give(before + completion, { echo: true, logprobs: 1 }, signal), before, completion);
  };

  const ofPrompt = async ({ prompt, request: { completion }, signal }: Question): Promise<NamedLogprobs> => {
    const before = textOf(prompt);
    const body = await give(before + completion, { prompt_logprobs: 0 }, signal);
    // Where the two texts meet, one token may have become part of both; it is left to the prompt or not, in both variants.
    return promptLogprobs(body, readUsage(await give(before, {}, signal))?.promptTokens ?? 0);
  };

  const generate = async ({ prompt, request, signal }: Question): Promise<NamedLogprobs> => {
    const { maxTokens, stop } = request;
    const greedy = { maxTokens, stop, temperature: 0, seed: "log-probabilities" };
    const body = buildBody(prompt, greedy, { ...settings, api, logprobs: true, extraBody });
    return generatedTokens(await send(api === "chat" ? "/chat/completions" : "/completions", body, greedy, signal));
  };

  const giving: readonly Way[] = [
    { way: "given text", about: "an echo", ask: echo },
    { way: "given text", about: "prompt_logprobs", ask: ofPrompt },
  ];
  // A conversation cannot be given together with its answer: the template is the server's.
  const ways = [
    ...(api === "chat" ? [] : giving),
    { way: "generated", about: "its own completion", ask: generate } as const,
  ];

  const attempt = async ({ ask }: Way, question: Question): Promise<NamedLogprobs> => {
    try {
      return await ask(question);
    } catch (error) {
      if (!(error instanceof RequestFailedError) || !REFUSALS.has(error.status ?? 0)) throw error;
      return { kind: "absent", reason: error.message };
    }
  };

  const find = async (question: Question): Promise<Found> => {
    const reasons: string[] = [];
    for (const way of ways) {
      const result = await attempt(way, question);
      if (result.kind === "given") return { way, question, result };
      reasons.push(`asked for ${way.about}: ${result.reason}`);
    }
    return { reason: reasons.join("; ") };
  };

  let finding: Promise<Found> | undefined;
  const found = (question: Question): Promise<Found> => {
    finding ??= find(question).catch((error: unknown) => {
      // Nothing was found out, which the next doc may do.
      finding = undefined;
      throw error;
    });
    return finding;
  };

  return {
    async logprobs(prompt, request, signal) {
      const question = { prompt, request, signal };
      const answer = await found(question);
      if (answer.way === undefined) return { kind: "absent", reason: answer.reason };
      const result = answer.question === question ? answer.result : await attempt(answer.way, question);
      if (result.kind === "absent") return result;
      return { ...result, way: answer.way.way, tokens: result.tokens.map((token) => headers.redactAnswer(token)) };
    },
    close: async () => {
      await Promise.all(transports.map((transport) => transport.close()));
    },
  };
}

type Found =
  | { readonly way: Way; readonly question: Question; readonly result: NamedLogprobs }
  | { readonly way?: undefined; readonly reason: string };

function textOf(prompt: RunnerPrompt): string {
  if (prompt.kind === "completion") return prompt.text;
  throw new Error("a conversation is no text");
}
