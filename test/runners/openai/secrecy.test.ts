/** Keys stay out of whatever is shown or kept, even when a server sends them back. */
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { openOpenAiRunner } from "../../../runners/openai/index.ts";
import { excerpt } from "../../../runners/openai/excerpt.ts";
import { redactor } from "../../../runners/openai/secrets.ts";
import { ask, openOn, QUICK, startTestServer } from "./ask.ts";
import type { ReplayOptions } from "./replay-server.ts";

const KEY = 'sk-"proj/abc+def=0123456789';
const TOKEN = "tenant-token-77";
const SECRETS = { env: { OPENAI_API_KEY: KEY }, headers: { "X-Tenant": `Bearer ${TOKEN}` } };

const ECHOES: Readonly<Record<string, string>> = {
  plain: `Incorrect API key provided: ${KEY}. ${TOKEN}`,
  json: JSON.stringify({ error: { message: `bad key ${KEY} and ${TOKEN}` } }),
  "json with escapes": JSON.stringify({ detail: KEY })
    .replaceAll("/", String.raw`\/`)
    .replaceAll("s", String.raw`\u0073`),
  url: `<a href="/login?key=${encodeURIComponent(KEY)}">`,
  base64: `Basic ${Buffer.from(KEY).toString("base64")}`,
  "nested json": JSON.stringify({ error: JSON.stringify({ authorization: `Bearer ${KEY}` }) }),
  "a long page": `${"x".repeat(290)}${KEY}`,
  "an endless page": KEY.repeat(5000),
};

function echo(status: number, body: string, type = "application/json"): ReplayOptions {
  return {
    intercept: ({ method }, response) => {
      if (method === "POST") response.writeHead(status, { "content-type": type, location: `/?k=${KEY}` }).end(body);
      return method === "POST";
    },
  };
}

/** The secrets, and recognisable parts of them, that can be seen in a value. */
function leaks(shown: unknown): readonly string[] {
  const text = inspect(shown, { depth: 20, showHidden: true, maxStringLength: Infinity });
  const parts = ["proj/abc", String.raw`proj\/abc`, "proj%2Fabc", "0123456789", "tenant-token"];
  return [KEY, Buffer.from(KEY).toString("base64"), TOKEN, ...parts].filter((part) => text.includes(part));
}

async function errorOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("no error");
    },
    (error: unknown) => error as Error,
  );
}

describe.each(Object.entries(ECHOES))("sent back: %s", (_, body) => {
  it.each([401, 400, 500, 301])("with status %d", async (status) => {
    const { runner } = await openOn(echo(status, body), { ...SECRETS, retries: { attempts: 1 } });
    const error = await errorOf(ask(runner));
    expect(error.message).toContain(`HTTP ${status}`);
    expect(leaks(error)).toEqual([]);
  });

  it.each(["application/json", "text/event-stream"])("as a 200 of %s", async (type) => {
    const text = type === "application/json" ? body : `data: ${body}\n\n`;
    const { runner } = await openOn(echo(200, text, type), { ...SECRETS, retries: { attempts: 1 } });
    expect(leaks(await errorOf(ask(runner)))).toEqual([]);
  });
});

it("sent back as an answer", async () => {
  const { runner } = await openOn({ complete: () => `Your key is ${KEY}, is it not?` }, SECRETS);
  expect((await ask(runner)).text).toBe("Your key is [redacted], is it not?");
});

it("a key that may be a word of an answer leaves answers as they are", async () => {
  const { runner } = await openOn({ complete: () => "The box is EMPTY now" }, { env: { OPENAI_API_KEY: "EMPTY" } });
  expect((await ask(runner)).text).toBe("The box is EMPTY now");
});

it("sent back as a reason to finish", async () => {
  const choices = [{ text: "a", finish_reason: `${KEY}${"x".repeat(100)}` }];
  const body = JSON.stringify({ choices, usage: { prompt_tokens: 1, completion_tokens: 1 } });
  const { runner } = await openOn(echo(200, body), { ...SECRETS, retries: { attempts: 1 } });
  expect(leaks(await errorOf(ask(runner)))).toEqual([]);
});

it("not in the runner, its identity, its endpoint or its warnings", async () => {
  const { runner, server } = await openOn({}, SECRETS);
  await ask(runner);
  expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  expect(leaks(runner)).toEqual([]);
  expect(leaks(JSON.stringify([runner.identity, runner.endpoint, runner.warnings]))).toEqual([]);
  expect(runner.endpoint.header_names).toEqual(["x-tenant"]);
});

it("refused by /v1/models: the error says what to do, not the key", async () => {
  const server = await startTestServer({
    intercept: (_request, response) => {
      response.writeHead(401).end(JSON.stringify({ error: { message: `bad ${KEY}` } }));
      return true;
    },
  });
  const error = await errorOf(openOpenAiRunner({ ...QUICK, ...SECRETS, baseUrls: [server.baseUrl] }));
  expect(error.message).toContain("refuses the API key, or wants one: HTTP 401: bad [redacted]");
  expect(leaks(error)).toEqual([]);
});

it.each([
  ["a line break", `${KEY}\nx`],
  ["a blank", `${KEY} x`],
  ["a letter beyond ASCII", `${KEY}é`],
  ["no end", KEY.repeat(1000)],
])("a key with %s is refused without being shown", async (_, key) => {
  const error = await errorOf(openOpenAiRunner({ baseUrls: ["http://127.0.0.1:1"], env: { OPENAI_API_KEY: key } }));
  expect(error.message).toContain("OPENAI_API_KEY does not hold a key");
  expect(leaks(error)).toEqual([]);
});

it("a header that HTTP does not allow is refused without being shown", async () => {
  const headers = { "X-Tenant": `${TOKEN}\r\nHost: evil` };
  const error = await errorOf(openOpenAiRunner({ baseUrls: ["http://127.0.0.1:1"], env: {}, headers }));
  expect(error.message).toContain('header "X-Tenant" has a name or a value that HTTP does not allow');
  expect(leaks(error)).toEqual([]);
});

it("a password in a base URL is refused without being shown", async () => {
  for (const url of [
    "http://me:s3cret-0123456789@host/v1",
    "http://host/v1?key=0123456789",
    "http://me:s3cret-0123456789@ho st",
  ]) {
    const error = await errorOf(openOpenAiRunner({ baseUrls: [url], env: {} }));
    expect(error.message).toContain("base URL");
    expect(leaks(error)).toEqual([]);
  }
});

it("what is quoted is short and on one line, and never ends in half a secret", () => {
  const redact = redactor([KEY]);
  expect(excerpt("", redact)).toBe("(empty body)");
  expect(excerpt("a\n\tb", redact)).toBe("a b");
  expect(excerpt("x".repeat(1e6), redact)).toHaveLength(303);
  for (let lead = 0; lead < 60; lead++)
    expect(excerpt(`${"y".repeat(lead)}${KEY.repeat(4000)}`.slice(0, 65_536), redact)).not.toContain("sk-");
});
