/** Clients that others wrote, and our own: what they make of the server's answers. */
import OpenAI, { NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openEmbeddedRunner } from "../../runners/embedded.ts";
import { openOpenAiRunner } from "../../runners/openai/index.ts";
import type { OpenAiRunnerOptions } from "../../runners/openai/index.ts";
import type { Answer, AskOptions, Runner, RunnerPrompt } from "../../runners/runner.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { testServer } from "./start.ts";

const server = testServer({ concurrency: 16 });
const NEVER = new AbortController().signal;

const EXAMPLES = [11, 12].map((index) => synthProblem("train", index));
const PREFIX = EXAMPLES.map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n\n`).join("");
const QUESTIONS = Array.from({ length: 16 }, (_, i) => synthProblem("train", 400 + i).question);
const PROMPTS = {
  completions: QUESTIONS.map((question): RunnerPrompt => ({
    kind: "completion",
    text: `${PREFIX}Question: ${question}\nAnswer:`,
  })),
  chat: QUESTIONS.map((content): RunnerPrompt => ({ kind: "chat", messages: [{ role: "user", content }] })),
};
const ASKED: AskOptions = { maxTokens: 80, stop: ["Question:", "</s>", "<|im_end|>"], temperature: 0, seed: "1" };

describe("our runner gives what the embedded one gives", () => {
  let embedded: Runner;
  const expected = new Map<string, Promise<Answer[]>>();
  beforeAll(async () => {
    embedded = await openEmbeddedRunner({ routing: "fused", concurrency: 16, chat: true });
  });
  afterAll(() => embedded.close());
  const embeddedAnswers = (api: "completions" | "chat"): Promise<Answer[]> => {
    const known =
      expected.get(api) ?? Promise.all(PROMPTS[api].map((prompt) => embedded.complete(prompt, ASKED, NEVER)));
    expected.set(api, known);
    return known;
  };

  const cases = (["completions", "chat"] as const).flatMap((api) =>
    [false, true].flatMap((stream) => [1, 16].map((concurrency) => ({ api, stream, concurrency }))),
  );
  it.each(cases)("$api, streamed: $stream, $concurrency at a time", async ({ api, stream, concurrency }) => {
    const options: OpenAiRunnerOptions = {
      baseUrls: [server.baseUrl],
      dialect: "vllm",
      api,
      stream,
      tokenIds: true,
      env: {},
    };
    const runner = await openOpenAiRunner(options);
    onTestFinished(() => runner.close());
    expect(runner.identity).toMatchObject({ model: "abacus-8m", max_model_len: 2048 });
    const prompts = concurrency === 1 ? PROMPTS[api].slice(0, 4) : PROMPTS[api];
    const ask = (prompt: RunnerPrompt): Promise<Answer> => runner.complete(prompt, ASKED, NEVER);
    const answers: Answer[] = [];
    if (concurrency === 1) for (const prompt of prompts) answers.push(await ask(prompt));
    else answers.push(...(await Promise.all(prompts.map(ask))));
    const content = ({ text, finishReason, tokenIds, promptTokens, completionTokens }: Answer): unknown => {
      return { text, finishReason, tokenIds, promptTokens, completionTokens };
    };
    const own = (await embeddedAnswers(api)).slice(0, prompts.length);
    expect(answers.map(content)).toEqual(own.map(content));
    expect(runner.stats).toMatchObject({ retries: 0 });
  });
});

describe("the OpenAI SDK", () => {
  const client = (): OpenAI => new OpenAI({ baseURL: server.baseUrl, apiKey: "none", maxRetries: 0 });
  const messages = [{ role: "user" as const, content: QUESTIONS[0] as string }];
  const chat = { model: "abacus-8m", messages, temperature: 0, max_tokens: 40 };

  it("lists the model, chats, and streams the same", async () => {
    const models = [];
    for await (const { id } of client().models.list()) models.push(id);
    expect(models).toEqual(["abacus-8m"]);
    const whole = await client().chat.completions.create(chat);
    const streamed = client().chat.completions.stream({ ...chat, stream_options: { include_usage: true } });
    const final = await streamed.finalChatCompletion();
    expect(whole.choices[0]?.message.content).toMatch(/\S/);
    expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content);
    expect(final.choices[0]?.finish_reason).toBe(whole.choices[0]?.finish_reason);
    expect(final.usage).toEqual(whole.usage);
  });

  it("completes, with log-probabilities, and streams the same", async () => {
    const asked = { model: "abacus-8m", prompt: "Question:", temperature: 0, max_tokens: 8, logprobs: 2 };
    const whole = await client().completions.create(asked);
    let text = "";
    for await (const { choices } of await client().completions.create({ ...asked, stream: true })) {
      text += choices[0]?.text ?? "";
    }
    expect(text).toBe(whole.choices[0]?.text);
    expect(whole.choices[0]?.logprobs?.tokens?.join("")).toBe(text);
    expect(whole.usage?.completion_tokens).toBe(8);
  });

  it("knows our errors for what they are", async () => {
    const asking = client().chat.completions.create({ ...chat, model: "gpt-4" });
    await expect(asking).rejects.toBeInstanceOf(NotFoundError);
    await expect(asking).rejects.toMatchObject({ status: 404, code: "model_not_found", param: "model" });
  });
});
