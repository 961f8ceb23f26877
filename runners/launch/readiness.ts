/** Waits until a server is ready, which is more than up: after its health is good, it may still compile for minutes. */
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../errors.ts";
import { openOpenAiRunner } from "../openai/index.ts";
import type { OpenAiRunnerOptions } from "../openai/index.ts";
import { RequestFailedError } from "../openai/request-failed-error.ts";
import { isRetriedStatus } from "../openai/failure.ts";
import type { Getter } from "./http-get.ts";

/** How the server is asked for its first token, as the run will ask it: a key, a model, a dialect. */
export type AskOptions = Pick<
  OpenAiRunnerOptions,
  "model" | "dialect" | "api" | "env" | "apiKeyEnv" | "headers" | "headerEnv" | "extraBody"
>;

export interface WaitOptions {
  /** `http://127.0.0.1:8000` */
  readonly origin: string;
  readonly healthPath: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly ask: AskOptions;
  readonly getter: Getter;
  /** Says what is waited for, as often as it is looked at. */
  readonly onWaiting: (phase: "health" | "first-token", detail: string) => void;
}

const POLL_MS = 250;

/** A first token may take so long: graphs are captured and kernels compiled while it is waited for. */
const FIRST_TOKEN_MS = 120_000;

/** As ATOM's own scripts have it: so many tries, so far apart at most. */
const FIRST_TOKEN_TRIES = 10;
const TRY_AGAIN_MS = 30_000;

/** What the server refuses, it will refuse again; but some refuse while they load. */
const REFUSALS = 3;

/** @throws UserError or EngineError when the server answers but never completes; the signal's reason */
export async function waitUntilReady(options: WaitOptions, signal: AbortSignal): Promise<void> {
  await waitForHealth(options, signal);
  let refusals = 0;
  for (let tries = 1; ; tries++) {
    options.onWaiting("first-token", tries === 1 ? "asking for one token" : `asking for one token, try ${tries}`);
    try {
      return await oneToken(options, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (isRefusal(error)) refusals++;
      if (tries >= FIRST_TOKEN_TRIES || refusals >= REFUSALS) throw error;
      options.onWaiting("first-token", (error as Error).message);
    }
    await pause(Math.min(TRY_AGAIN_MS, 500 * 2 ** (tries - 1)), signal);
  }
}

async function waitForHealth(options: WaitOptions, signal: AbortSignal): Promise<void> {
  const { origin, healthPath, headers, getter, onWaiting } = options;
  for (;;) {
    const reply = await getter.get(`${origin}${healthPath}`, signal, headers);
    // One that wants a key, or has no such page, is up; the token that is asked for next says more.
    if (reply.kind === "answered" && reply.status < 500) return;
    const said = reply.kind === "failed" ? reply.message : `HTTP ${reply.status}`;
    onWaiting("health", `${healthPath}: ${said}`);
    await pause(POLL_MS, signal);
  }
}

async function oneToken({ origin, ask }: WaitOptions, signal: AbortSignal): Promise<void> {
  const runner = await openOpenAiRunner(
    {
      ...ask,
      baseUrls: [`${origin}/v1`],
      retries: { attempts: 1 },
      timeouts: { firstByteMs: FIRST_TOKEN_MS, totalMs: FIRST_TOKEN_MS },
    },
    signal,
  );
  try {
    const prompt =
      ask.api === "chat"
        ? ({ kind: "chat", messages: [{ role: "user", content: "hi" }] } as const)
        : ({ kind: "completion", text: "hi" } as const);
    await runner.complete(prompt, { maxTokens: 1, stop: [], temperature: 0, seed: "ready" }, signal);
  } finally {
    await runner.close();
  }
}

function isRefusal(error: unknown): boolean {
  if (error instanceof UserError) return true;
  return error instanceof RequestFailedError && error.status !== undefined && !isRetriedStatus(error.status);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
