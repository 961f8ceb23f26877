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
}

/** @throws AttemptError, which says what was wrong */
export async function readCompletion(reply: HttpReply, { redact, maxCharacters }: ReadOptions): Promise<Completion> {
  if (!isSuccess(reply)) throw await badStatus(reply, redact);
  if (/^\s*text\/event-stream/i.test(reply.header("content-type") ?? ""))
    return readStream(reply, new CompletionStream(maxCharacters, redact));
  const body = await readJson(reply, redact);
  const choice = firstChoice(body);
  if (choice === undefined) throw transient("no-choices", `the response has no choice: ${quote(body, redact)}`);
  return { ...readPiece(choice), usage: readUsage(body) };
}

/**
 * The JSON of a response without an error in it.
 *
 * @throws AttemptError
 */
export async function readJson(reply: HttpReply, redact: Redact): Promise<unknown> {
  if (!isSuccess(reply)) throw await badStatus(reply, redact);
  const text = await readText(reply);
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

async function readStream(reply: HttpReply, stream: CompletionStream): Promise<Completion> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let firstTextMs: number | undefined;
  try {
    for await (const bytes of reply.body) {
      const before = stream.events;
      stream.feed(decode(decoder, bytes, { stream: true }));
      if (stream.events > before) reply.progress();
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
  const text = await readText(reply, READ_CHARACTERS).catch(() => "");
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

/** @param enough - stop reading after so many bytes */
async function readText(reply: HttpReply, enough = Infinity): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of reply.body) {
    reply.progress();
    chunks.push(chunk);
    size += chunk.length;
    if (size >= enough) break;
  }
  const bytes = Buffer.concat(chunks);
  return enough === Infinity ? decode(new TextDecoder("utf-8", { fatal: true }), bytes) : bytes.toString("utf8");
}

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
