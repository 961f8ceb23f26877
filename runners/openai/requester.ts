/** Sends requests until they are answered: chooses a replica, tries again, gives up. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer } from "../runner.ts";
import { asksForTooLong, backoffMs } from "./backoff.ts";
import type { Breaker } from "./breaker.ts";
import type { Completion } from "./completion.ts";
import { AttemptError, isSlow } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { linkSignals } from "./linked-signal.ts";
import type { ResolvedOptions } from "./options.ts";
import { readCompletion } from "./read-reply.ts";
import { Replicas } from "./replicas.ts";
import { RequestFailedError } from "./request-failed-error.ts";
import { emptyStats } from "./stats.ts";
import type { RequestStats } from "./stats.ts";
import type { HttpReply, Transport } from "./transport.ts";

export interface RequesterOptions extends Pick<
  ResolvedOptions,
  "api" | "stream" | "headers" | "limits" | "retries" | "random" | "notify"
> {
  readonly transports: readonly [Transport, ...Transport[]];
  readonly breaker: Breaker;
  /** Ends, with its reason, whatever is asked. */
  readonly closed: AbortSignal;
  /** Said with a request that failed with this status, where there is something to say. */
  readonly note: (status: number, transport: Transport, signal: AbortSignal) => Promise<string | undefined>;
}

export class Requester {
  readonly stats: RequestStats = emptyStats();
  readonly #options: RequesterOptions;
  readonly #replicas: Replicas<Transport>;
  readonly #breaker: Breaker;
  readonly #path: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** Until when requests are held back, as far as was told, on the wall clock. */
  #toldUntil = 0;

  constructor(options: RequesterOptions) {
    this.#options = options;
    this.#replicas = new Replicas(options.transports, () => performance.now());
    this.#breaker = options.breaker;
    this.#path = options.api === "chat" ? "/chat/completions" : "/completions";
    this.#headers = {
      "content-type": "application/json",
      accept: options.stream ? "text/event-stream" : "application/json",
      "user-agent": "fusecheck",
      ...options.headers.fields,
    };
  }

  /**
   * @param accept - makes an answer of a response, or throws an AttemptError
   * @throws RequestFailedError, EngineLostError, or the signal's reason
   */
  async ask(body: string, accept: (completion: Completion) => Answer, caller: AbortSignal): Promise<Answer> {
    const { signal, release } = linkSignals(caller, this.#breaker.signal, this.#options.closed);
    this.stats.requests++;
    try {
      signal.throwIfAborted();
      return await this.#askUntilAnswered(body, accept, signal);
    } catch (error) {
      if (error instanceof RequestFailedError) this.stats.failed++;
      throw error;
    } finally {
      release();
    }
  }

  async #askUntilAnswered(
    body: string,
    accept: (completion: Completion) => Answer,
    signal: AbortSignal,
  ): Promise<Answer> {
    let avoid: Transport | undefined;
    let slow = 0;
    const { retries, random } = this.#options;
    for (let attempts = 1; ; attempts++) {
      // Requests that the server has not turned away themselves are held back, too.
      for (let held = this.#replicas.heldMs(); held > 0; held = this.#replicas.heldMs())
        await wait(held + random() * Math.min(held, retries.baseMs), signal);
      const result = await this.#attempt(body, accept, avoid, signal);
      if (result.kind === "answered") return result.answer;
      const { failure, transport } = result;
      avoid = transport;
      if (isSlow(failure)) slow++;
      const tooLong = asksForTooLong(failure, retries);
      const last =
        !failure.retry || tooLong !== undefined || attempts >= retries.attempts || slow >= retries.slowAttempts;
      const overBudget = !last && this.stats.retries >= retries.runRetries;
      if (last || overBudget) throw await this.#giveUp(failure, attempts, transport, overBudget, signal);
      this.stats.retries++;
      await wait(backoffMs(attempts - 1, failure.retryAfterMs, retries, random), signal);
    }
  }

  /** Others are to keep away from it, too; whoever looks on wants to know why nothing happens. */
  #holdBack(hold: (ms: number) => void, ms: number, message: string): void {
    if (ms > this.#options.retries.retryAfterMaxMs) return;
    hold(ms);
    const until = Date.now() + this.#replicas.heldMs();
    if (until < Date.now() + TELL_FROM_MS || until < this.#toldUntil + TELL_FROM_MS) return;
    this.#toldUntil = until;
    this.#options.notify(`no request is sent before ${new Date(until).toLocaleTimeString()}: ${message}`);
  }

  async #attempt(
    body: string,
    accept: (completion: Completion) => Answer,
    avoid: Transport | undefined,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const { replica, reached, unreachable, hold, release } = this.#replicas.acquire(avoid);
    const { redact } = this.#options.headers;
    const start = performance.now();
    this.stats.inFlight++;
    const read = (reply: HttpReply): Promise<Completion> => {
      reached();
      this.#breaker.reached();
      const { maxResponseBytes: maxCharacters } = this.#options.limits;
      return readCompletion(reply, { redact, maxCharacters, onWork: () => this.stats.pieces++ });
    };
    try {
      const request = { method: "POST", path: this.#path, headers: this.#headers, body } as const;
      const answer = accept(await replica.exchange(request, signal, read));
      this.#breaker.requestAnswered();
      this.stats.answered++;
      if (answer.finishReason === "length") this.stats.cutAtMaxTokens++;
      return { kind: "answered", answer };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      const failure = { ...error.failure, message: `${replica.baseUrl}${this.#path}: ${error.failure.message}` };
      const { kind } = failure;
      if (kind === "unreachable" || kind === "connect-timeout") unreachable();
      if (failure.retryAfterMs !== undefined) this.#holdBack(hold, failure.retryAfterMs, failure.message);
      this.stats.failures.set(kind, (this.stats.failures.get(kind) ?? 0) + 1);
      const now = performance.now();
      this.#breaker.attemptFailed(failure, now - start, now);
      signal.throwIfAborted();
      return { kind: "failed", failure, transport: replica };
    } finally {
      this.stats.inFlight--;
      release();
    }
  }

  async #giveUp(
    failure: Failure,
    attempts: number,
    transport: Transport,
    overBudget: boolean,
    signal: AbortSignal,
  ): Promise<Error> {
    this.#breaker.requestFailed(failure);
    signal.throwIfAborted();
    const { retries } = this.#options;
    const note = overBudget
      ? `the run's budget of ${retries.runRetries} retries is spent`
      : (asksForTooLong(failure, retries) ?? (await this.#options.note(failure.status ?? 0, transport, signal)));
    return new RequestFailedError(failure, attempts, note);
  }
}

/** A shorter wait than this needs no words. */
const TELL_FROM_MS = 5000;

/** What ends the wait early is the signal, whose reason says why. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}

type Attempt =
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly failure: Failure; readonly transport: Transport };
