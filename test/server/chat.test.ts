import { afterAll, beforeAll, expect, it } from "vitest";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { joined, testServer } from "./start.ts";

const MESSAGES = [
  { role: "user", content: "Tom has 3 apples and buys 4 more. How many apples does he have now?" },
] as const;
const GREEDY = { messages: MESSAGES, temperature: 0, max_tokens: 40 };

const server = testServer();
let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 1 });
});
afterAll(() => engine.close());

it("answers in the model's chat template", async () => {
  const prompt = engine.tokenizer.encodeChat(MESSAGES);
  const own = await engine.complete({ prompt, maxTokens: 40, stop: [], temperature: 0, seed: "", logprobs: false });
  const { status, body } = await server.post("/chat/completions", GREEDY);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-/),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: own.text, refusal: null },
        logprobs: null,
        finish_reason: own.finishReason,
      },
    ],
    usage: { prompt_tokens: prompt.length, completion_tokens: own.tokenIds.length },
  });
});

it("takes content in parts, and a developer for a system", async () => {
  const [{ content }] = MESSAGES;
  const system = { role: "system", content: "Answer in numbers." };
  const parts = [content.slice(0, 20), content.slice(20)].map((text) => ({ type: "text", text }));
  const whole = await server.post("/chat/completions", { ...GREEDY, messages: [system, ...MESSAGES] });
  const inParts = await server.post("/chat/completions", {
    ...GREEDY,
    messages: [
      { ...system, role: "developer" },
      { role: "user", content: parts },
    ],
  });
  expect(inParts.status).toBe(200);
  expect(inParts.body.choices).toEqual(whole.body.choices);
  expect(inParts.body.usage).toEqual(whole.body.usage);
});

it("goes on up to the end of the context where the client sets no limit", async () => {
  const { body } = await server.post("/chat/completions", { messages: MESSAGES, temperature: 0, ignore_eos: true });
  expect(body.usage?.total_tokens).toBe(engine.config.contextLength);
  expect(body.choices[0]?.finish_reason).toBe("length");
});

it("gives log-probabilities with their bytes", async () => {
  const asked = { ...GREEDY, logprobs: true, top_logprobs: 2, return_token_ids: true };
  const { body } = await server.post("/chat/completions", asked);
  const [choice] = body.choices;
  const tokens = choice?.logprobs?.content ?? [];
  expect(tokens.length).toBe(body.usage?.completion_tokens);
  const text = Buffer.from(tokens.flatMap(({ bytes }) => bytes)).toString("utf8");
  expect(text.startsWith(choice?.message.content ?? "?")).toBe(true);
  for (const { token, logprob, top_logprobs: top } of tokens) {
    expect(top.length).toBe(2);
    expect(top[0]).toMatchObject({ token, logprob });
    expect(top[1]?.logprob).toBeLessThanOrEqual(logprob);
  }
  expect(body.prompt_token_ids).toEqual(engine.tokenizer.encodeChat(MESSAGES));
});

it("streams the same answer", async () => {
  const asked = { ...GREEDY, logprobs: true, top_logprobs: 1, return_token_ids: true };
  const whole = (await server.post("/chat/completions", asked)).body;
  const { events, done } = await server.stream("/chat/completions", {
    ...asked,
    stream_options: { include_usage: true },
  });
  const streamed = joined(events);
  expect(done).toBe(true);
  expect(events.every(({ object }) => object === "chat.completion.chunk")).toBe(true);
  expect(streamed.text).toBe(whole.choices[0]?.message.content);
  expect(streamed.logprobs?.content).toEqual(whole.choices[0]?.logprobs?.content);
  expect(streamed.token_ids).toEqual(whole.choices[0]?.token_ids);
  expect(streamed.finish_reason).toBe(whole.choices[0]?.finish_reason);
  expect(events.at(-1)?.usage).toEqual(whole.usage);
  expect(events.map(({ choices }) => choices[0]?.delta.role)).toEqual([
    "assistant",
    ...Array<undefined>(events.length - 1).fill(undefined),
  ]);
});
