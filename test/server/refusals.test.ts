import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { startServer } from "../../server/index.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { send, testServer } from "./start.ts";
import type { Reply } from "./start.ts";

const server = testServer({ concurrency: 2, maxQueue: 4, maxBodyBytes: 100_000 });
const origin = (): string => server.baseUrl.slice(0, -"/v1".length);

/** The protocol's shape and nothing else, and nothing of this machine. */
function expectRefusal(
  { status, body }: Reply,
  expected: { status: number; param?: string | null; code?: string | null },
): void {
  expect(status).toBe(expected.status);
  expect(Object.keys(body)).toEqual(["error"]);
  expect(Object.keys(body.error)).toEqual(["message", "type", "param", "code"]);
  expect(body.error.message).toMatch(/^[^\n]{5,400}$/);
  expect(JSON.stringify(body)).not.toMatch(/node_modules|\.ts:|models\/abacus|at Object|\/home|\/usr/);
  if (expected.param !== undefined) expect(body.error.param).toBe(expected.param);
  if (expected.code !== undefined) expect(body.error.code).toBe(expected.code);
}

const BAD_COMPLETIONS: readonly [what: string, body: unknown, param: string | null][] = [
  ["no JSON", "{", null],
  ["half of a text", '{"prompt": "a', null],
  ["a list", "[]", null],
  ["null", "null", null],
  ["a number", "3", null],
  ["a body that would change objects", '{"__proto__": {"a": 1}, "prompt": "a"}', null],
  ["a body that would change constructors", '{"constructor": {"prototype": {"a": 1}}, "prompt": "a"}', null],
  ["no prompt", {}, "prompt"],
  ["an empty prompt", { prompt: "" }, "prompt"],
  ["an empty list", { prompt: [] }, "prompt"],
  ["an empty prompt in a list", { prompt: ["a", ""] }, "prompt"],
  ["a number for a prompt", { prompt: 5 }, "prompt"],
  ["a mixed list", { prompt: ["a", 5] }, "prompt"],
  ["a prompt of objects", { prompt: [{}] }, "prompt"],
  ["a token that there is not", { prompt: [1, 2048] }, "prompt"],
  ["a negative token", { prompt: [-1] }, "prompt"],
  ["a broken token", { prompt: [1.5] }, "prompt"],
  ["lists in lists in lists", `{"prompt":${"[".repeat(30_000)}${"]".repeat(30_000)}}`, "prompt"],
  ["a prompt as long as the context", { prompt: Array<number>(2048).fill(5) }, "prompt"],
  ["a text that cannot fit", { prompt: "a".repeat(90_000) }, "prompt"],
  ["a wrong type", { prompt: "a", temperature: "0" }, "temperature"],
  ["a negative temperature", { prompt: "a", temperature: -1 }, "temperature"],
  ["a negative limit", { prompt: "a", max_tokens: -1 }, "max_tokens"],
  ["nothing to do", { prompt: "a", max_tokens: 0 }, "max_tokens"],
  ["half a token", { prompt: "a", max_tokens: 1.5 }, "max_tokens"],
  ["more tokens than the context has", { prompt: "a", max_tokens: 99_999 }, "max_tokens"],
  ["more tokens than are left", { prompt: Array<number>(2000).fill(5), max_tokens: 49 }, "max_tokens"],
  ["more than are left by the longest", { prompt: [[5], Array<number>(2000).fill(5)], max_tokens: 49 }, "max_tokens"],
  ["too many alternatives", { prompt: "a", logprobs: 21 }, "logprobs"],
  ["logprobs as chat has them", { prompt: "a", logprobs: true }, "logprobs"],
  ["too many answers", { prompt: "a", n: 17 }, "n"],
  ["more than the queue holds", { prompt: "a", n: 7 }, "prompt"],
  ["a stop that is no text", { prompt: "a", stop: [5] }, "stop"],
  ["too many stops", { prompt: "a", stop: Array<string>(65).fill("b") }, "stop"],
  ["a very long stop", { prompt: "a", stop: "b".repeat(1001) }, "stop"],
  ["a misspelt field", { prompt: "a", ignore_eso: true }, "ignore_eso"],
  ["options of a stream without one", { prompt: "a", stream_options: { include_usage: true } }, "stream_options"],
  ["a stream's unknown option", { prompt: "a", stream: true, stream_options: { usage: true } }, "stream_options.usage"],
  ["sampling that there is not", { prompt: "a", temperature: 1, top_p: 0.9 }, "top_p"],
  ["a penalty that there is not", { prompt: "a", temperature: 0, presence_penalty: 1 }, "presence_penalty"],
  ["biased logits", { prompt: "a", logit_bias: { "5": 1 } }, "logit_bias.5"],
  ["the best of many", { prompt: "a", best_of: 4 }, "best_of"],
  ["a least length", { prompt: "a", min_tokens: 5 }, "min_tokens"],
  ["a suffix", { prompt: "a", suffix: "b" }, "suffix"],
  ["routed experts that are not handed out", { prompt: "a", return_routed_experts: true }, "return_routed_experts"],
];

const BAD_CHATS: readonly [what: string, body: object, param: string][] = [
  ["no messages", {}, "messages"],
  ["an empty conversation", { messages: [] }, "messages"],
  ["a role that there is not", { messages: [{ role: "tool", content: "a" }] }, "messages.0.role"],
  ["no content", { messages: [{ role: "user" }] }, "messages.0.content"],
  ["an image", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }, "messages.0.content"],
  ["a prompt", { prompt: "a", messages: [{ role: "user", content: "a" }] }, "prompt"],
  ["alternatives alone", { messages: [{ role: "user", content: "a" }], top_logprobs: 1 }, "top_logprobs"],
  ["more tokens than fit", { messages: [{ role: "user", content: "a" }], max_tokens: 2048 }, "max_tokens"],
  [
    "more tokens than fit, under their newer name",
    { messages: [{ role: "user", content: "a" }], max_tokens: 1, max_completion_tokens: 2048 },
    "max_completion_tokens",
  ],
  ["a tool", { messages: [{ role: "user", content: "a" }], tools: [{}] }, "tools"],
  [
    "a JSON answer",
    { messages: [{ role: "user", content: "a" }], response_format: { type: "json_object" } },
    "response_format.type",
  ],
  ["a conversation that cannot fit", { messages: [{ role: "user", content: "a ".repeat(40_000) }] }, "messages"],
];

describe("a bad request is refused, and the field named:", () => {
  it.each(BAD_COMPLETIONS)("%s", async (_, body, param) => {
    const reply = await server.post("/completions", body);
    expectRefusal(reply, { status: 400, param });
    expect(reply.headers.get("content-type")).toMatch(/^application\/json/);
  });

  it.each(BAD_CHATS)("chat: %s", async (_, body, param) => {
    const reply = await server.post("/chat/completions", body);
    expectRefusal(reply, { status: 400, param });
    expect(reply.headers.get("content-type")).toMatch(/^application\/json/);
  });

  it("and nothing of it keeps a place in the queue", async () => {
    expect(server.server.open).toBe(0);
    const { status } = await server.post("/completions", { prompt: ["a", "b", "c"], n: 2, max_tokens: 2 });
    expect(status).toBe(200);
  });

  it("a misspelt field with the one that was meant", async () => {
    const { body } = await server.post("/completions", { prompt: "a", max_token: 5 });
    expect(body.error.message).toBe('max_token: no such field (did you mean "max_tokens"?)');
  });
});

describe("room for an answer", () => {
  const prompt = Array<number>(2000).fill(5);

  it("is said in the protocol's words: what there is, what was asked for, and what would fit", async () => {
    const reply = await server.post("/completions", { prompt, max_tokens: 49 });
    expectRefusal(reply, { status: 400, param: "max_tokens", code: "context_length_exceeded" });
    expect(reply.body.error.message).toBe(
      "This model's maximum context length is 2048 tokens. However, you requested 2049 tokens (2000 in the prompt, " +
        "49 for the completion): max_tokens can be at most 48",
    );
  });

  it("to the last token is given", async () => {
    const { status, body } = await server.post("/completions", { prompt, max_tokens: 48, ignore_eos: true });
    expect([status, body.usage?.completion_tokens]).toEqual([200, 48]);
  });

  it("that nobody asked for is what is left", async () => {
    const long = Array<number>(2040).fill(5);
    const { status, body } = await server.post("/completions", { prompt: long, ignore_eos: true });
    expect([status, body.usage?.completion_tokens, body.choices[0]?.finish_reason]).toEqual([200, 8, "length"]);
  });

  it("is refused before a stream begins", async () => {
    const reply = await server.post("/completions", { prompt, max_tokens: 49, stream: true });
    expect(reply.headers.get("content-type")).toMatch(/^application\/json/);
    expectRefusal(reply, { status: 400, param: "max_tokens" });
  });
});

it("fields that change nothing are taken", async () => {
  const neutral = { top_p: 1, top_k: -1, min_p: 0, presence_penalty: 0, frequency_penalty: 0 };
  const penalties = { repeat_penalty: 1, repetition_penalty: 1 };
  const ignored = { user: "me", cache_prompt: false, best_of: 1, suffix: null, logit_bias: null, metadata: {} };
  const fields = { ...neutral, ...penalties, ...ignored };
  const { status } = await server.post("/completions", { prompt: "a", max_tokens: 1, ...fields });
  expect(status).toBe(200);
  const greedy = await server.post("/completions", { prompt: "a", max_tokens: 1, temperature: 0, top_p: 0.95 });
  expect(greedy.status).toBe(200);
  const exactly = await server.post("/completions", { prompt: "a", max_tokens: 9, min_tokens: 9, ignore_eos: true });
  expect(exactly.body.usage?.completion_tokens).toBe(9);
});

it("a model that is not served is not found, by either way of asking", async () => {
  const expected = { status: 404, code: "model_not_found", param: "model" };
  expectRefusal(await server.post("/completions", { prompt: "a", model: "gpt-4" }), expected);
  expectRefusal(
    await server.post("/chat/completions", { messages: [{ role: "user", content: "a" }], model: "x" }),
    expected,
  );
  expectRefusal(await server.get("/models/gpt-4"), expected);
  expect((await server.get("/models/abacus-8m")).body).toEqual((await server.get("/models")).body.data[0]);
});

it("unknown paths are not found, and methods that a path does not have are named", async () => {
  expectRefusal(await server.get("/embeddings"), { status: 404, code: "not_found" });
  expectRefusal(await server.post("/responses", {}), { status: 404, code: "not_found" });
  expectRefusal(await send(`${origin()}/../../etc/passwd`, "GET"), { status: 404 });
  expectRefusal(await server.get("/%zz"), { status: 400 });
  const wrong = await server.get("/completions");
  expectRefusal(wrong, { status: 405, code: "method_not_allowed" });
  expect(wrong.headers.get("allow")).toBe("POST");
  expectRefusal(await send(`${origin()}/health`, "POST", {}), { status: 405 });
});

it("a body that is too large, or of another type, is not read", async () => {
  expectRefusal(await server.post("/completions", { prompt: "a".repeat(200_000) }), { status: 413 });
  const response = await fetch(`${server.baseUrl}/completions`, { method: "POST", body: new URLSearchParams("a=b") });
  expect(response.status).toBe(415);
  expect(await response.json()).toHaveProperty("error.message");
});

it("what is no HTTP, and headers without end, get an answer in the same shape", async () => {
  const { port } = new URL(server.baseUrl);
  const raw = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), "127.0.0.1", () => socket.write("HELLO\r\n\r\n"));
    let text = "";
    socket.on("data", (data) => (text += String(data))).on("close", () => resolve(text));
  });
  expect(raw).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(raw.split("\r\n\r\n")[1] ?? "")).toHaveProperty("error.message");
  const bomb = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { "x-bomb": "a".repeat(100_000) };
    // The server may hang up before all of it was sent.
    request(`${server.baseUrl}/models`, { headers }, ({ statusCode }) => resolve(statusCode))
      .on("error", reject)
      .end();
  });
  expect(bomb).toBe(431);
});

it("says that it works, which model it has, and what it is made of", async () => {
  expect(await send(`${origin()}/health`, "GET")).toMatchObject({ status: 200, body: { status: "ok" } });
  expect((await server.get("/models")).body).toEqual({
    object: "list",
    data: [expect.objectContaining({ id: "abacus-8m", object: "model", max_model_len: 2048 })],
  });
  expect((await send(`${origin()}/version`, "GET")).body).toMatchObject({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    routing: "fused",
  });
});

it("a key that is set must be sent, but not to ask whether the server works", async () => {
  const locked = await startServer({
    routing: "reference",
    port: 0,
    concurrency: 1,
    modelDir: MODEL_DIR,
    servedModelName: "org/locked",
    apiKey: "sesame",
  });
  onTestFinished(() => locked.close());
  const ask = (key?: string): Promise<Response> =>
    fetch(`${locked.baseUrl}/models/org/locked`, key === undefined ? {} : { headers: { authorization: key } });
  for (const key of [undefined, "sesame", "Bearer", "Bearer sesam", "Bearer sesame2", "Basic sesame"]) {
    const response = await ask(key);
    const body = (await response.json()) as never;
    expectRefusal(
      { status: response.status, headers: response.headers, body },
      { status: 401, code: "invalid_api_key" },
    );
  }
  expect((await ask("Bearer sesame")).status).toBe(200);
  expect((await fetch(`${locked.baseUrl.slice(0, -3)}/health`)).status).toBe(200);
});
