/** Answers a planned request: in one body, or as a stream of server-sent events. */
import { randomUUID } from "node:crypto";
import { PassThrough } from "node:stream";
import type { Readable } from "node:stream";
import { VERSION } from "../version.ts";
import type { ApiError } from "./api-error.ts";
import type { ServerContext } from "./context.ts";
import { runChoice } from "./generate.ts";
import type { Piece } from "./generate.ts";
import type { Plan, Written } from "./plan.ts";

interface StreamHooks {
  /** What a client is told of what went wrong. */
  readonly toApiError: (error: unknown) => ApiError;
  /** The engine has let go of the request. */
  readonly onEnd: () => void;
}

export async function answerWhole(context: ServerContext, plan: Plan, abort: AbortController): Promise<object> {
  const pieces = await runAll(context, plan, abort);
  const written = plan.choices.map((choice, i) => plan.format.writer(choice)(pieces[i] as Piece));
  return {
    ...envelope(context, plan, plan.format.object)(written),
    usage: usageOf(plan, pieces),
  };
}

/** The stream always ends, and with `[DONE]` where all went well. */
export function answerStream(
  context: ServerContext,
  plan: Plan,
  abort: AbortController,
  { toApiError, onEnd }: StreamHooks,
): Readable {
  // What the client does not take yet waits here. It is bounded by the context's length.
  const events = new PassThrough();
  const send = (data: object | "[DONE]"): void => {
    if (!events.writableEnded && !events.destroyed)
      events.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  };
  const write = envelope(context, plan, plan.format.chunkObject);
  let tokens = 0;
  const usageSoFar = (): object => {
    if (plan.continuousUsage) return { usage: usage(plan, tokens) };
    return plan.includeUsage ? { usage: null } : {};
  };
  const writers = plan.choices.map(plan.format.writer);
  const emit = (piece: Piece, i: number): void => {
    tokens += piece.tokens.length;
    const written = writers[i]?.(piece);
    if (written !== undefined) send({ ...write([written]), ...usageSoFar() });
  };
  const produce = async (): Promise<void> => {
    try {
      const pieces = await runAll(context, plan, abort, emit);
      if (plan.includeUsage) send({ ...write([]), usage: usageOf(plan, pieces) });
      send("[DONE]");
    } catch (error) {
      send(toApiError(error).body);
    } finally {
      onEnd();
      events.end();
    }
  };
  void produce();
  return events;
}

/** All choices at once; when one fails, the others are dropped, and it is over when the engine has let go of all. */
async function runAll(
  { engine }: ServerContext,
  { choices }: Plan,
  abort: AbortController,
  emit?: (piece: Piece, i: number) => void,
): Promise<Piece[]> {
  const running = choices.map(async (choice, i) => {
    const last = await runChoice(engine, choice, abort.signal, emit && ((piece) => emit(piece, i)));
    emit?.(last, i);
    return last;
  });
  try {
    return await Promise.all(running);
  } catch (error) {
    abort.abort(error);
    await Promise.allSettled(running);
    throw error;
  }
}

function envelope(
  { options }: ServerContext,
  { format }: Plan,
  object: string,
): (written: readonly Written[]) => Readonly<Record<string, unknown>> {
  const id = format.idPrefix + randomUUID();
  const created = Math.floor(Date.now() / 1000);
  const fingerprint = `fusecheck-${VERSION}-${options.routing}`;
  return (written) => ({
    id,
    object,
    created,
    model: options.servedModelName,
    system_fingerprint: fingerprint,
    choices: written.map(({ choice }) => choice),
    ...written[0]?.beside,
  });
}

function usageOf(plan: Plan, pieces: readonly Piece[]): Readonly<Record<string, number>> {
  return usage(
    plan,
    pieces.reduce((sum, { end }) => sum + (end?.completionTokens ?? 0), 0),
  );
}

function usage({ promptTokens }: Plan, completionTokens: number): Readonly<Record<string, number>> {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}
