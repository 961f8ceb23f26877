/** Asks for JSON, outside of what is timed and counted, until it comes. */
import { setTimeout as sleep } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";
import { AttemptError, isSlow } from "./failure.ts";
import type { Failure } from "./failure.ts";
import type { ResolvedOptions } from "./options.ts";
import { readJson } from "./read-reply.ts";
import { RequestFailedError } from "./request-failed-error.ts";
import type { Transport } from "./transport.ts";

export interface JsonQuestion {
  /** Below the base URL. */
  readonly path: string;
  /** Made anew for each attempt. */
  readonly body: () => string;
}

/**
 * Tries the replicas in turn.
 *
 * @throws RequestFailedError after the attempts that one request is allowed, or the signal's reason
 */
export async function askJson(
  transports: readonly [Transport, ...Transport[]],
  { path, body }: JsonQuestion,
  { headers, retries, random }: Pick<ResolvedOptions, "headers" | "retries" | "random">,
  signal: AbortSignal,
): Promise<unknown> {
  const fields = {
    "content-type": "application/json",
    accept: "application/json",
    "user-agent": "fusecheck",
    ...headers.fields,
  };
  let slow = 0;
  for (let attempts = 1; ; attempts++) {
    const transport = transports[(attempts - 1) % transports.length] as Transport;
    const request = { method: "POST", path, headers: fields, body: body() } as const;
    let failure: Failure;
    try {
      return await transport.exchange(request, signal, (reply) => readJson(reply, headers.redact));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      failure = { ...error.failure, message: `${transport.baseUrl}${path}: ${error.failure.message}` };
    }
    if (isSlow(failure)) slow++;
    if (!failure.retry || attempts >= retries.attempts || slow >= retries.slowAttempts)
      throw new RequestFailedError(failure, attempts);
    const wait = backoffMs(attempts - 1, failure.retryAfterMs, retries, random);
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
