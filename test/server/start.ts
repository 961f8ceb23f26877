/** A server of a test file's own, and short ways to ask it. */
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll } from "vitest";
import { startServer } from "../../server/index.ts";
import type { Server, ServerOptions } from "../../server/index.ts";

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** What an answer may hold, as far as tests look at it. */
export interface Body {
  readonly id: string;
  readonly object: string;
  readonly model: string;
  readonly choices: readonly ChoiceBody[];
  readonly usage?: Usage | null;
  readonly error: { readonly message: string; readonly type: string; readonly param: unknown; readonly code: unknown };
  readonly sglext?: { readonly routed_experts: string };
  readonly prompt_token_ids?: readonly number[];
  readonly data: readonly Readonly<Record<string, unknown>>[];
}

interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

interface Said {
  readonly role?: string;
  readonly content: string;
}

export interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
  readonly top_logprobs: readonly ChatToken[];
}

export interface Logprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly (number | null)[];
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  readonly text_offset: readonly number[];
  readonly content: readonly ChatToken[];
}

export interface ChoiceBody {
  readonly index: number;
  readonly text: string;
  readonly message: Said;
  readonly delta: Said;
  readonly finish_reason: string | null;
  readonly logprobs: Logprobs | null;
  readonly token_ids?: readonly number[];
  readonly prompt_token_ids?: readonly number[];
  readonly routed_experts?: string;
}

export interface TestServer {
  readonly baseUrl: string;
  readonly server: Server;
  post(path: string, body: unknown): Promise<Reply>;
  get(path: string): Promise<Reply>;
  /** The events of a stream, and whether it ended with `[DONE]`. */
  stream(path: string, body: object): Promise<{ readonly events: readonly Body[]; readonly done: boolean }>;
}

/** Starts before the file's tests and ends after them. */
export function testServer(options: Partial<ServerOptions> = {}): TestServer {
  let server: Server;
  beforeAll(async () => {
    server = await startServer({ routing: "fused", port: 0, concurrency: 4, ...options });
  });
  afterAll(() => server.close());
  return {
    get baseUrl() {
      return server.baseUrl;
    },
    get server() {
      return server;
    },
    post: (path, body) => send(server.baseUrl + path, "POST", body),
    get: (path) => send(server.baseUrl + path, "GET"),
    stream: (path, body) => readStream(server.baseUrl + path, body),
  };
}

export async function send(url: string, method: string, body?: unknown): Promise<Reply> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { body: text, headers: { "content-type": "application/json" } }),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

/** Starts a stream and hands over each event as it comes. */
export async function openStream(
  url: string,
  body: object,
  onData: (data: string) => void,
  signal?: AbortSignal,
): Promise<{ readonly response: Response; readonly ended: Promise<void> }> {
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify({ ...body, stream: true }),
    headers: { "content-type": "application/json" },
    ...(signal !== undefined && { signal }),
  });
  const read = async (): Promise<void> => {
    const parser = createParser({ onEvent: ({ data }) => onData(data) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
  };
  return { response, ended: read() };
}

async function readStream(url: string, body: object): Promise<{ events: Body[]; done: boolean }> {
  const data: string[] = [];
  const { ended } = await openStream(url, body, (each) => data.push(each));
  await ended;
  const done = data.at(-1) === "[DONE]";
  return { events: data.slice(0, done ? -1 : undefined).map((each) => JSON.parse(each) as Body), done };
}

/** All pieces of one choice, put together as a client would. */
export function joined(events: readonly Body[], index = 0): ChoiceBody {
  const pieces = events.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
  const lists = pieces.map(({ logprobs }) => logprobs).filter((logprobs) => logprobs !== null);
  const text = pieces.map((piece) => piece.text ?? piece.delta?.content ?? "").join("");
  // Of either API: each holds lists with an entry per token.
  const keys = Object.keys(lists[0] ?? {}).filter((key) => key !== "refusal") as (keyof Logprobs)[];
  const joinedLists = Object.fromEntries(keys.map((key) => [key, lists.flatMap((list): unknown[] => [...list[key]])]));
  return {
    ...(pieces[0] as ChoiceBody),
    text,
    finish_reason: pieces.at(-1)?.finish_reason ?? null,
    logprobs: lists.length === 0 ? null : (joinedLists as unknown as Logprobs),
    token_ids: pieces.flatMap((piece) => piece.token_ids ?? []),
  };
}
