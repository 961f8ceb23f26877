/** Short ways to open the runner on a test's server and to ask it. */
import { onTestFinished } from "vitest";
import { openOpenAiRunner } from "../../../runners/openai/index.ts";
import type { OpenAiRunner, OpenAiRunnerOptions } from "../../../runners/openai/index.ts";
import type { Answer, AskOptions, RunnerPrompt } from "../../../runners/runner.ts";
import { startReplayServer } from "./replay-server.ts";
import type { ReplayOptions, ReplayServer } from "./replay-server.ts";

export const GREEDY: AskOptions = { maxTokens: 1000, stop: ["Question:"], temperature: 0, seed: "1234:0" };

/** Waits and clocks that a test can sit through. */
export const QUICK: Partial<OpenAiRunnerOptions> = {
  env: {},
  retries: { baseMs: 1, capMs: 20 },
  timeouts: { connectMs: 2000, firstByteMs: 250, idleMs: 250, totalMs: 400 },
};

/** Both end with the test. */
export async function openOn(
  server: ReplayOptions,
  options: Partial<OpenAiRunnerOptions> = {},
): Promise<{ readonly server: ReplayServer; readonly runner: OpenAiRunner }> {
  const started = await startTestServer(server);
  const dialect = server.dialect ?? "openai";
  const runner = await openTestRunner({ baseUrls: [started.baseUrl], dialect, ...options });
  return { server: started, runner };
}

export async function startTestServer(options: ReplayOptions = {}): Promise<ReplayServer> {
  const server = await startReplayServer(options);
  onTestFinished(() => server.close());
  return server;
}

export async function openTestRunner(
  options: Pick<OpenAiRunnerOptions, "baseUrls"> & Partial<OpenAiRunnerOptions>,
): Promise<OpenAiRunner> {
  const runner = await openOpenAiRunner({
    ...QUICK,
    ...options,
    retries: { ...QUICK.retries, ...options.retries },
    timeouts: { ...QUICK.timeouts, ...options.timeouts },
  });
  onTestFinished(() => runner.close());
  return runner;
}

export function completion(text: string): RunnerPrompt {
  return { kind: "completion", text };
}

export function chat(...turns: readonly string[]): RunnerPrompt {
  return {
    kind: "chat",
    messages: turns.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content })),
  };
}

export function ask(
  runner: OpenAiRunner,
  prompt: RunnerPrompt = completion("1 + 1"),
  options: Partial<AskOptions> = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<Answer> {
  return runner.complete(prompt, { ...GREEDY, ...options }, signal);
}
