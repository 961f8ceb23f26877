/**
 * A real HTTP server that answers with given completions in the shapes of a given kind of server, and does wrong what it is
 * told to. It punishes a client that leaves out what that kind of server needs: without `max_tokens` the answer is cut
 * short, without temperature 0 it is another one, and so on.
 */
import { createServer } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json as readJson } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { DialectName } from "../../../runners/openai/index.ts";
import { errorBody, refusal, streamedAnswer, wholeAnswer } from "./dialect-shapes.ts";
import type { Body, Saying, Shape } from "./dialect-shapes.ts";
import { commit } from "./faults.ts";
import type { Fault } from "./faults.ts";

export interface Recorded {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
}

export interface ReplayOptions {
  readonly dialect?: DialectName;
  readonly models?: readonly string[];
  /** The completion of a prompt, whole; in chat, of the last message. Default: `Answer to PROMPT`. */
  readonly complete?: (prompt: string) => string;
  /**
   * What is drawn above temperature 0: `draw` is the request's seed, or the number of the request where it has none.
   * Default: `something else`.
   */
  readonly sample?: (prompt: string, draw: number) => string;
  readonly reasoning?: string;
  /** Tokens per event of a stream. Default: 1. */
  readonly merge?: number;
  /** What goes wrong with the n-th generation request, from 0. */
  readonly fault?: (n: number) => Fault | undefined;
  /** How long the n-th answer takes. */
  readonly delayMs?: (n: number) => number;
  /** Of a server that drips. Default: 20. */
  readonly dripMs?: number;
  /** Takes over a request altogether; returns false to leave it. */
  readonly intercept?: (request: IncomingMessage, response: ServerResponse, body: Body) => boolean;
  readonly port?: number;
}

export interface ReplayServer {
  readonly baseUrl: string;
  readonly port: number;
  /** Generation requests so far, in order of arrival. */
  readonly requests: readonly Recorded[];
  readonly connections: () => number;
  readonly mostAtOnce: () => number;
  close(): Promise<void>;
}

export const MODEL = "org/model-8m";

export async function startReplayServer(options: ReplayOptions = {}): Promise<ReplayServer> {
  const { models = [MODEL] } = options;
  const requests: Recorded[] = [];
  const traffic = { connections: 0, inFlight: 0, most: 0 };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (
      request.method === "GET" &&
      request.url === "/v1/models" &&
      options.intercept?.(request, response, {}) !== true
    ) {
      const data = models.map((id) => ({ id, object: "model", max_model_len: 4096 }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ object: "list", data }));
      return;
    }
    if (request.method !== "POST") {
      response.writeHead(404).end();
      return;
    }
    traffic.inFlight++;
    traffic.most = Math.max(traffic.most, traffic.inFlight);
    response.on("close", () => traffic.inFlight--);
    const body = (await readJson(request)) as Body;
    const n = requests.push({ path: request.url ?? "", headers: request.headers, body }) - 1;
    const delay = options.delayMs?.(n) ?? 0;
    if (delay > 0) await sleep(delay);
    if (options.intercept?.(request, response, body) !== true) await answer(options, n, request, response, body);
  };
  const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
  server.on("connection", () => traffic.connections++);
  server.keepAliveTimeout = 10_000;
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    port,
    requests,
    connections: () => traffic.connections,
    mostAtOnce: () => traffic.most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { dialect = "openai", complete = (prompt) => `Answer to ${prompt}`, ...options }: ReplayOptions,
  n: number,
  request: IncomingMessage,
  response: ServerResponse,
  body: Body,
): Promise<void> {
  const chat = request.url === "/v1/chat/completions";
  const shape: Shape = { chat, model: options.models?.[0] ?? MODEL, body };
  const refused = refusal(dialect, shape);
  if (refused !== undefined) {
    const [status, message] = refused;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(errorBody(dialect, status, message)));
    return;
  }
  const saying = say(dialect, body, n, complete, options);
  const whole = wholeAnswer(dialect, saying, shape);
  const fault = options.fault?.(n);
  if (fault !== undefined) {
    commit(fault, { response, dialect, chat, whole, dripMs: options.dripMs ?? 20 });
    return;
  }
  if (body["stream"] !== true) {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(whole));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const group of streamedAnswer(dialect, saying, shape)) {
    if (dialect === "llama-cpp") response.write(": ping\n\n");
    const lines = group.map((event) => `data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
    response.write(lines.join(""));
    await new Promise(setImmediate);
  }
  response.end();
}

function say(
  dialect: DialectName,
  body: Body,
  n: number,
  complete: (prompt: string) => string,
  { reasoning, merge, sample = () => "something else" }: Pick<ReplayOptions, "reasoning" | "merge" | "sample">,
): Saying {
  const messages = body["messages"] as readonly { content: string }[] | undefined;
  const prompt = messages?.at(-1)?.content ?? String(body["prompt"]);
  const spoilt =
    body["temperature"] !== 0 ||
    (dialect === "llama-cpp" && (body["cache_prompt"] !== false || body["repeat_penalty"] !== 1));
  const text = spoilt ? sample(prompt, Number(body["seed"] ?? n)) : complete(prompt);
  // Servers that keep the stop string in the text (TGI, Transformers) end there all the same.
  const tokens = text.match(/\s*\S+|\s+$/g) ?? [];
  const most = Number(body["max_tokens"] ?? 16);
  return {
    tokens: tokens.slice(0, most),
    finish: tokens.length > most ? "length" : "stop",
    promptTokens: prompt.length,
    ...(reasoning !== undefined && { reasoning }),
    ...(merge !== undefined && { merge }),
  };
}
