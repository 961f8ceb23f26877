/** What each kind of server is sent, and how its answers are read. */
import { describe, expect, it } from "vitest";
import { DIALECTS, getDialect } from "../../../runners/openai/index.ts";
import type { DialectName } from "../../../runners/openai/index.ts";
import { ask, chat, completion, openOn } from "./ask.ts";
import { MODEL } from "./replay-server.ts";

const NAMES = Object.keys(DIALECTS) as DialectName[];
const WAYS = NAMES.flatMap((dialect) =>
  (["completions", "chat"] as const).flatMap((api) => [false, true].map((stream) => [dialect, api, stream] as const)),
);

describe.each(WAYS)("%s, %s, streamed: %s", (dialect, api, stream) => {
  const prompt = api === "chat" ? chat("2 + 2", "4", "1 + 1") : completion("1 + 1");

  it("gives the text, why it ended and what it took", async () => {
    const { runner } = await openOn({ dialect, complete: () => "It is 2.\n#### 2 \u{1f600}\n" }, { api, stream });
    const answer = await ask(runner, prompt);
    expect(answer).toMatchObject({
      text: "It is 2.\n#### 2 \u{1f600}\n",
      finishReason: "stop",
      promptTokens: 5,
      completionTokens: 7,
    });
    expect(answer.firstTextMs === undefined).toBe(!stream);
  });

  it("says when the token limit cut the answer, whatever is sent after it", async () => {
    const { runner } = await openOn({ dialect, complete: () => "a b c d" }, { api, stream });
    const answer = await ask(runner, prompt, { maxTokens: 3 });
    expect(answer).toMatchObject({ text: "a b c", finishReason: "length", completionTokens: 3 });
    expect(runner.stats.cutAtMaxTokens).toBe(1);
  });

  it("ends the text before the first stop string, also where the server kept it or did not know it", async () => {
    const { runner } = await openOn({ dialect, complete: () => "#### 2\n\nQ: more </s> Z" }, { api, stream });
    const stop = ["v", "w", "x", "y", "</s>", "Q:"];
    expect(await ask(runner, prompt, { stop })).toMatchObject({ text: "#### 2\n\n", finishReason: "stop" });
  });

  it("takes an answer without a word for what it is", async () => {
    const { runner } = await openOn({ dialect, complete: () => "" }, { api, stream });
    expect(await ask(runner, prompt)).toMatchObject({ text: "", completionTokens: 0 });
  });
});

describe("reasoning", () => {
  const cases = NAMES.flatMap((dialect) => [false, true].map((stream) => [dialect, stream] as const));

  it.each(cases)("%s, streamed: %s: is kept apart from the answer", async (dialect, stream) => {
    const server = { dialect, complete: () => "#### 2", reasoning: "They ask for 1 + 1." };
    const { runner } = await openOn(server, { api: "chat", stream });
    expect(await ask(runner, chat("1 + 1"))).toMatchObject({ text: "#### 2", reasoning: "They ask for 1 + 1." });
  });

  it.each(["reasoning", "reasoning_content"])(
    "%s and no content: a model that thought up to its limit",
    async (key) => {
      const message = { role: "assistant", content: null, [key]: "Let me" };
      const body = {
        choices: [{ message, finish_reason: "length" }],
        usage: { prompt_tokens: 1, completion_tokens: 9 },
      };
      const { runner } = await openOn(
        {
          intercept: (request, response) => {
            if (request.method === "POST")
              response.setHeader("content-type", "application/json").end(JSON.stringify(body));
            return request.method === "POST";
          },
        },
        { api: "chat" },
      );
      expect(await ask(runner, chat("1"))).toMatchObject({ text: "", reasoning: "Let me", finishReason: "length" });
    },
  );
});

describe("what is sent", () => {
  async function sent(
    dialect: DialectName,
    options: Parameters<typeof openOn>[1] = {},
    temperature = 0,
  ): Promise<unknown> {
    const { runner, server } = await openOn({ dialect }, options);
    await ask(runner, options.api === "chat" ? chat("1 + 1") : completion("1 + 1"), { temperature, stop: ["a", "b"] });
    return server.requests[0]?.body;
  }
  const seed = expect.any(Number) as number;
  const base = { model: MODEL, prompt: "1 + 1", max_tokens: 1000, temperature: 0, stop: ["a", "b"] };

  it.each<[DialectName, object]>([
    ["openai", { ...base, seed }],
    ["atom", base],
    ["vllm", { ...base, seed }],
    ["sglang", { ...base, seed }],
    ["llama-cpp", { ...base, seed, cache_prompt: false, repeat_penalty: 1 }],
    ["trtllm", { ...base, seed }],
    ["tgi", { ...base, seed, model: "tgi" }],
    ["transformers", { ...base, seed }],
    ["ollama", { ...base, seed }],
  ])("%s: what it needs and no more", async (dialect, body) => {
    expect(await sent(dialect)).toEqual(body);
  });

  it.each<[DialectName, object]>([
    ["openai", { top_p: 1 }],
    ["vllm", { top_p: 1, top_k: -1, min_p: 0 }],
    ["llama-cpp", { top_p: 1, top_k: 0, min_p: 0, cache_prompt: false, repeat_penalty: 1 }],
    ["tgi", { model: "tgi" }],
  ])("%s: samples from the whole distribution above temperature 0", async (dialect, more) => {
    expect(await sent(dialect, {}, 0.5)).toEqual({ ...base, seed, ...more, temperature: 0.5 });
  });

  it("asks a stream for its usage where that is needed, and not where it is refused", async () => {
    const streams = Object.fromEntries(
      await Promise.all(NAMES.map(async (name) => [name, await sent(name, { stream: true })] as const)),
    );
    const asking = NAMES.filter((name) => Object.hasOwn(streams[name] as object, "stream_options"));
    expect(asking).toEqual(["openai", "vllm", "sglang", "llama-cpp", "trtllm", "tgi", "ollama"]);
  });

  it("sends all turns of a chat, and no prompt", async () => {
    const { runner, server } = await openOn({}, { api: "chat" });
    await ask(runner, chat("2 + 2", "4", "1 + 1"));
    expect(server.requests[0]).toMatchObject({ path: "/v1/chat/completions" });
    expect(server.requests[0]?.body).toMatchObject({
      messages: [
        { role: "user", content: "2 + 2" },
        { role: "assistant", content: "4" },
        { role: "user", content: "1 + 1" },
      ],
    });
    expect(server.requests[0]?.body).not.toHaveProperty("prompt");
  });

  it("the same seed for the same doc, another for another", async () => {
    const { runner, server } = await openOn({});
    for (const name of ["1234:0", "1234:1", "1234:0"]) await ask(runner, completion("1"), { seed: name });
    const [first, second, third] = server.requests.map(({ body }) => body["seed"]);
    expect(third).toBe(first);
    expect(second).not.toBe(first);
  });

  it("ignore_eos, token ids and log-probabilities where asked, and gives what comes back", async () => {
    const options = { ignoreEos: true, tokenIds: true, logprobs: true };
    for (const stream of [false, true]) {
      const { runner, server } = await openOn({ dialect: "vllm", complete: () => "a b" }, { ...options, stream });
      expect(await ask(runner)).toMatchObject({ tokenIds: [0, 1], logprobs: [-0.25, -0.25] });
      expect(server.requests[0]?.body).toMatchObject({ ignore_eos: true, return_token_ids: true, logprobs: 1 });
    }
  });

  it.each([
    ["vllm", "chat"],
    ["llama-cpp", "completions"],
  ] as const)("%s, %s: reads log-probabilities in chat's form", async (dialect, api) => {
    const { runner } = await openOn({ dialect, complete: () => "a b" }, { api, logprobs: true });
    expect(await ask(runner, api === "chat" ? chat("1") : completion("1"))).toMatchObject({ logprobs: [-0.25, -0.25] });
  });

  it("refuses to ask for what the server would ignore in silence", async () => {
    await expect(openOn({ dialect: "atom" }, { logprobs: true })).rejects.toThrow("does not offer log-probabilities");
    await expect(openOn({ dialect: "llama-cpp" }, { tokenIds: true })).rejects.toThrow("does not offer token ids");
    await expect(openOn({ dialect: "tgi" }, { ignoreEos: true })).rejects.toThrow("does not offer ignore_eos");
  });

  it("extra headers and body fields; null takes a field away", async () => {
    const { runner, server } = await openOn(
      { dialect: "vllm" },
      {
        extraBody: { chat_template_kwargs: { enable_thinking: false }, seed: null },
        headers: { "X-Tenant": "blue" },
        headerEnv: { "X-Token": "TOKEN" },
        env: { TOKEN: "t-123", OPENAI_API_KEY: "sk-1" },
      },
    );
    await ask(runner);
    const [request] = server.requests;
    expect(request?.headers).toMatchObject({ "x-tenant": "blue", "x-token": "t-123", authorization: "Bearer sk-1" });
    expect(request?.body).toMatchObject({ chat_template_kwargs: { enable_thinking: false } });
    expect(request?.body).not.toHaveProperty("seed");
  });

  it("refuses body fields that would make the run record lie", async () => {
    await expect(openOn({}, { extraBody: { temperature: 1 } })).rejects.toThrow('extra body field "temperature"');
    await expect(openOn({}, { extraBody: { stop: null } })).rejects.toThrow('extra body field "stop"');
  });
});

it("an unknown dialect lists those there are", () => {
  expect(() => getDialect("vlm")).toThrow('no dialect "vlm" (did you mean "vllm"?); there are: openai, atom,');
  expect(() => getDialect("__proto__")).toThrow("no dialect");
});
