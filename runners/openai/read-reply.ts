/** Reads a response: an answer, or what kept it from being one. */
import { TextDecoder } from "node:util";
import { firstChoice, readPiece, readUsage } from "./completion.ts";
import type { Completion } from "./completion.ts";
import { parseRetryAfter } from "./backoff.ts";
import { excerpt, READ_CHARACTERS } from "./excerpt.ts";
import { AttemptError, isRetriedStatus, transient } from "./failure.ts";
import type { Redact } from "./secrets.ts";
import { serverError } from "./server-errors.ts";
import { CompletionStream } from "./stream.ts";
import type { HttpReply } from "./transport.ts";

export interface ReadOptions {
  readonly redact: Redact;
  /** Most characters of one event of a stream. */
  readonly maxCharacters: number;
  /** Called for whatever shows that the model works on the answer. */
  readonly onWork?: () => void;
}

/** @throws AttemptError, which says what was wrong */
export async function readCompletion(
  reply: HttpReply,
  { redact, maxCharacters, onWork = () => {} }: ReadOptions,
): Promise<Completion> {
  if (!isSuccess(reply)) throw await badStatus(reply, redact);
  if (/^\s*text\/event-stream/i.test(reply.header("content-type") ?? ""))
    return readStream(reply, new CompletionStream(maxCharacters, redact), onWork);
  const body = await readJson(reply, redact, onWork);
  const choice = firstChoice(body);
  if (choice === undefined) throw transient("no-choices", `the response has no choice: ${quote(body, redact)}`);
  return { ...readPiece(choice), usage: readUsage(body) };
}

/**
 * The JSON of a response without an error in it.
 *
 * @throws AttemptError
 */
export async function readJson(reply: HttpReply, redact: Redact, onWork?: () => void): Promise<unknown> {
  if (!isSuccess(reply)) throw await badStatus(reply, redact);
  const text = await readText(reply, { onWork });
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw transient("malformed", `the response is not JSON: ${excerpt(text, redact)}`);
  }
  const error = serverError(body);
  if (error !== undefined) throw transient("server-error", `the response carries an error: ${excerpt(error, redact)}`);
  return body;
}

function isSuccess({ status }: HttpReply): boolean {
  return status >= 200 && status <= 299;
}

async function readStream(reply: HttpReply, stream: CompletionStream, onWork: () => void): Promise<Completion> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let firstTextMs: number | undefined;
  try {
    for await (const bytes of reply.body) {
      const before = stream.work;
      stream.feed(decode(decoder, bytes, { stream: true }));
      if (stream.work > before) onWork();
      if (stream.hasText) firstTextMs ??= performance.now() - reply.sentAt;
      if (stream.done) reply.windUp();
    }
  } catch (error) {
    // Once the server has said that it is done, nothing is lost with the connection.
    if (!stream.done) throw error;
  }
  return { ...stream.end(), ...(firstTextMs !== undefined && { firstTextMs }) };
}

async function badStatus(reply: HttpReply, redact: Redact): Promise<AttemptError> {
  const { status } = reply;
  // An error whose body does not come is that error all the same.
  const text = await readText(reply, { enough: READ_CHARACTERS }).catch(() => "");
  const location = reply.header("location");
  const to = status < 400 && location !== undefined ? ` to ${redact(location).slice(0, 200)}` : "";
  const retryAfterMs = parseRetryAfter(reply.header("retry-after"), Date.now());
  return new AttemptError({
    kind: "status",
    message: `HTTP ${status}${to}: ${excerpt(text, redact)}`,
    status,
    retry: isRetriedStatus(status),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

interface ReadTextOptions {
  /** Stop reading after so many bytes. */
  readonly enough?: number;
  readonly onWork?: (() => void) | undefined;
}

async function readText(reply: HttpReply, { enough = Infinity, onWork }: ReadTextOptions): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply.body) {
    // Blanks keep a connection open while nothing has been answered yet: they are pings.
    if (onWork !== undefined && chunk.some((byte) => byte > BLANK)) onWork();
    chunks.push(chunk);
    size += chunk.length;
    if (size >= enough) break;
  }
  const bytes = Buffer.concat(chunks);
  return enough === Infinity ? decode(new TextDecoder("utf-8", { fatal: true }), bytes) : bytes.toString("utf8");
}

/** What JSON has between its parts is no higher. */
const BLANK = 0x20;

function decode(decoder: TextDecoder, bytes: Buffer, options?: { readonly stream: boolean }): string {
  try {
    return decoder.decode(bytes, options);
  } catch {
    throw transient("malformed", "the response is not UTF-8");
  }
}

function quote(body: unknown, redact: Redact): string {
  return excerpt(JSON.stringify(body) ?? "", redact);
}
