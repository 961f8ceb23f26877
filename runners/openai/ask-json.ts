/** Asks for JSON, outside of what is timed and counted, until it comes. */
import { setTimeout as sleep } from "node:timers/promises";
import { asksForTooLong, backoffMs } from "./backoff.ts";
import type { Breaker } from "./breaker.ts";
import { AttemptError, isSlow } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { linkSignals } from "./linked-signal.ts";
import type { ResolvedOptions } from "./options.ts";
import { readJson } from "./read-reply.ts";
import { RequestFailedError } from "./request-failed-error.ts";
import type { Traffic } from "./stats.ts";
import type { HttpReply, Transport } from "./transport.ts";

export interface JsonQuestion {
  /** Below the base URL. */
  readonly path: string;
  /** Made anew for each attempt. */
  readonly body: () => string;
  /** Statuses that are answer enough, with the number of attempts from which on they are. */
  readonly final?: ReadonlyMap<number, number>;
  /** Throws an AttemptError for what is not the answer that was asked for. */
  readonly check?: (body: unknown) => void;
}

export interface AskJsonOptions extends Pick<ResolvedOptions, "headers" | "retries" | "random"> {
  /** Told whether the server is in reach. Requests that fail do not count: a server may answer prompts all the same. */
  readonly breaker: Breaker;
  /** Ends, with its reason, whatever is asked. */
  readonly closed: AbortSignal;
  /** Counted into. */
  readonly traffic: Traffic;
}

/**
 * Tries the replicas in turn.
 *
 * @throws RequestFailedError after the attempts that one request is allowed, EngineLostError, or the signal's reason
 */
export async function askJson(
  transports: readonly [Transport, ...Transport[]],
  question: JsonQuestion,
  options: AskJsonOptions,
  caller: AbortSignal,
): Promise<unknown> {
  const { signal, release } = linkSignals(caller, options.breaker.signal, options.closed);
  try {
    signal.throwIfAborted();
    return await askUntilAnswered(transports, question, options, signal);
  } finally {
    release();
  }
}

async function askUntilAnswered(
  transports: readonly [Transport, ...Transport[]],
  { path, body, final, check }: JsonQuestion,
  { headers, retries, random, breaker, traffic }: AskJsonOptions,
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
    const start = performance.now();
    const read = async (reply: HttpReply): Promise<unknown> => {
      breaker.reached();
      const json = await readJson(reply, headers.redact, () => traffic.pieces++);
      check?.(json);
      return json;
    };
    traffic.inFlight++;
    try {
      return await transport.exchange(request, signal, read);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      failure = { ...error.failure, message: `${transport.baseUrl}${path}: ${error.failure.message}` };
    } finally {
      traffic.inFlight--;
    }
    const now = performance.now();
    breaker.attemptFailed(failure, now - start, now);
    signal.throwIfAborted();
    if (isSlow(failure)) slow++;
    const tooLong = asksForTooLong(failure, retries);
    const most = Math.min(retries.attempts, final?.get(failure.status ?? 0) ?? Infinity);
    if (!failure.retry || tooLong !== undefined || attempts >= most || slow >= retries.slowAttempts)
      throw new RequestFailedError(failure, attempts, tooLong);
    const wait = backoffMs(attempts - 1, failure.retryAfterMs, retries, random);
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
