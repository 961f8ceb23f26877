/** Finding the server and its model. */
import { describe, expect, it } from "vitest";
import { UserError } from "../../../errors.ts";
import { parseBaseUrl } from "../../../runners/openai/base-url.ts";
import { openOpenAiRunner } from "../../../runners/openai/index.ts";
import { ask, chat, openOn, openTestRunner, startTestServer } from "./ask.ts";
import { MODEL } from "./replay-server.ts";
import type { ReplayOptions } from "./replay-server.ts";

function withoutModels(status: number, body = "", generates = true): ReplayOptions {
  return {
    intercept: ({ method }, response) => {
      if (method === "POST" && generates) return false;
      response.writeHead(status).end(body);
      return true;
    },
  };
}

describe("the model", () => {
  it("is the one that the server offers", async () => {
    const { runner } = await openOn({ dialect: "vllm" });
    expect(runner.identity).toEqual({
      name: "openai",
      dialect: "vllm",
      api: "completions",
      model: MODEL,
      max_model_len: 4096,
      ignore_eos: false,
      extra_body: {},
    });
  });

  it("has to be chosen among several", async () => {
    await expect(openOn({ models: ["a", "b"] })).rejects.toThrow(
      "offers several models; choose one with --model: a, b",
    );
    const { runner } = await openOn({ models: ["a", "b"] }, { model: "b" });
    expect(runner.identity.model).toBe("b");
  });

  it("that the server does not have lists those it has", async () => {
    const opening = openOn({ models: ["llama-3-8b", "glm-4"] }, { model: "lama-3-8b" });
    await expect(opening).rejects.toThrow(
      /has no model "lama-3-8b" \(did you mean "llama-3-8b"\?\); it has: llama-3-8b, glm-4$/,
    );
    await expect(openOn({ models: [] })).rejects.toThrow("offers no model");
  });

  it.each([
    ["qwen3:latest", "qwen3"],
    ["org/model", "org/model/"],
  ])("%s may be called %s", async (id, asked) => {
    const { runner } = await openOn({ models: [id] }, { model: asked });
    expect(runner.identity.model).toBe(asked);
  });

  it.each([404, 405, 501])("has to be named where the server does not list any (%d)", async (status) => {
    await expect(openOn(withoutModels(status))).rejects.toThrow("does not list its models; name one with --model");
    const { runner } = await openOn(withoutModels(status), { model: MODEL });
    expect(await ask(runner)).toMatchObject({ text: "Answer to 1 + 1" });
  });

  it("may be one that Transformers has yet to load", async () => {
    const { runner } = await openOn({ dialect: "transformers", models: ["loaded"] }, { model: "org/other" });
    expect(runner.identity.model).toBe("org/other");
  });

  it("need not be listed by a server that loads any: Transformers answers 500 where it has no cache of models", async () => {
    const server = { dialect: "transformers", models: ["org/other"], ...withoutModels(500) } as const;
    const { runner } = await openOn(server, { model: "org/other" });
    expect(await ask(runner)).toMatchObject({ text: "Answer to 1 + 1" });
    await expect(openOn(server)).rejects.toThrow(
      "is not ready: HTTP 500: (empty body); or name the model with --model",
    );
  });

  it("has to be the same on every replica", async () => {
    const [one, other] = await Promise.all([startTestServer({ models: ["a"] }), startTestServer({ models: ["b"] })]);
    await expect(openTestRunner({ baseUrls: [one.baseUrl, other.baseUrl] })).rejects.toThrow('has no model "a"');
  });
});

describe("a server that is not there, or not ready", () => {
  it("is named, with what to do", async () => {
    const server = await startTestServer();
    await server.close();
    const opening = openTestRunner({ baseUrls: [server.baseUrl] });
    await expect(opening).rejects.toThrow(UserError);
    await expect(opening).rejects.toThrow(
      `cannot reach ${server.baseUrl}: no connection (ECONNREFUSED); start the server, or correct --base-url`,
    );
  });

  it("says what it waits for", async () => {
    const loading = JSON.stringify({ error: { code: 503, message: "Loading model", type: "unavailable_error" } });
    await expect(openOn(withoutModels(503, loading))).rejects.toThrow("is not ready: HTTP 503: Loading model");
  });

  it("is given a moment", async () => {
    let asked = 0;
    const { runner } = await openOn({
      intercept: ({ method }, response) => {
        if (method === "POST" || asked++ > 1) return false;
        response.writeHead(503).end();
        return true;
      },
    });
    expect(runner.identity.model).toBe(MODEL);
  });
});

describe("the base URL", () => {
  it.each([
    ["http://localhost:8000", "http://localhost:8000/v1"],
    ["http://localhost:8000/", "http://localhost:8000/v1"],
    ["http://localhost:8000/v1/", "http://localhost:8000/v1"],
    ["http://localhost:8000/v1/completions", "http://localhost:8000/v1"],
    ["https://host/api/v3/chat/completions", "https://host/api/v3"],
    ["http://[::1]:8000/openai/v1", "http://[::1]:8000/openai/v1"],
  ])("%s means %s", (given, meant) => {
    expect(parseBaseUrl(given).href).toBe(meant);
  });

  it.each(["localhost:8000", "ftp://host/v1", "host", ""])("%j is refused", (given) => {
    expect(() => parseBaseUrl(given)).toThrow(/base URL .*; expected http:\/\/host:port\/v1/);
  });

  it("is missing", async () => {
    await expect(openOpenAiRunner({ baseUrls: [], env: {} })).rejects.toThrow("no base URL; give --base-url");
  });
});

it.each([Infinity, -1, NaN, 2 ** 31])("a timeout of %d is refused: the timer would go off at once", async (totalMs) => {
  const opening = openOpenAiRunner({ baseUrls: ["http://127.0.0.1:1"], env: {}, timeouts: { totalMs } });
  await expect(opening).rejects.toThrow(`totalMs is ${totalMs}; expected a number from 0 to 2147483647`);
});

describe("warnings", () => {
  it("of a chat template around completion prompts, as Ollama has it", async () => {
    const { runner } = await openOn({ dialect: "ollama" });
    expect(runner.warnings).toEqual([expect.stringContaining("chat template")]);
    const chatting = await openOn({ dialect: "ollama" }, { api: "chat" });
    expect(chatting.runner.warnings).toEqual([]);
    expect(await ask(chatting.runner, chat("1 + 1"))).toMatchObject({ text: "Answer to 1 + 1" });
  });

  it("none about keys on this machine", async () => {
    const { runner } = await openOn({}, { env: { OPENAI_API_KEY: "sk-12345678" } });
    expect(runner.warnings).toEqual([]);
  });
});

it("a prompt of the other kind is the caller's mistake", async () => {
  const { runner } = await openOn({});
  await expect(ask(runner, chat("1"))).rejects.toThrow("a chat prompt cannot be sent to the completions API");
});

it("a server that asks to be left alone before it lists its models: until when is told", async () => {
  const told: string[] = [];
  const { baseUrl } = await startTestServer({
    intercept: (_, response) => {
      response.writeHead(503, { "retry-after": "300" }).end("loading");
      return true;
    },
  });
  const enough = new AbortController();
  const notify = (text: string): void => {
    told.push(text);
    enough.abort(new Error("enough"));
  };
  await expect(openOpenAiRunner({ env: {}, baseUrls: [baseUrl], notify }, enough.signal)).rejects.toThrow("enough");
  expect(told).toEqual([expect.stringMatching(/^no request is sent before \d.*: .*HTTP 503: loading$/)]);
});
