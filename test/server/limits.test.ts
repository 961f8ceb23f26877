import { once } from "node:events";
import { request } from "node:http";
import { connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { startServer } from "../../server/index.ts";
import type { Server, ServerOptions } from "../../server/index.ts";
import { openStream, send } from "./start.ts";
import type { Body } from "./start.ts";

/** A stream that goes on for 1,900 tokens if nobody ends it. */
const LONG = { prompt: "Question:", temperature: 0, max_tokens: 1900, ignore_eos: true };
const SHORT = { prompt: "Question:", temperature: 0, max_tokens: 2 };

interface Running {
  readonly events: string[];
  readonly ended: Promise<void>;
  /** Hangs up, as a client that was killed does. */
  leave(): void;
}

async function start(options: Partial<ServerOptions>): Promise<Server> {
  const log: string[] = [];
  const server = await startServer({ routing: "fused", port: 0, log: (line) => log.push(line), ...options });
  // Clients that leave and queues that are full are no failures of the server's.
  onTestFinished(() => expect(log).toEqual([]));
  onTestFinished(() => server.close());
  onTestFinished(() => server.abort());
  return server;
}

/** Resolves once the stream's first token has come. */
async function running({ baseUrl }: Server, body: object = LONG): Promise<Running> {
  const controller = new AbortController();
  const events: string[] = [];
  let first = (): void => {};
  const begun = new Promise<void>((resolve) => (first = resolve));
  const onData = (data: string): void => {
    events.push(data);
    first();
  };
  const { ended } = await openStream(`${baseUrl}/completions`, body, onData, controller.signal);
  const over = ended.catch(() => {});
  await begun;
  return { events, ended: over, leave: () => controller.abort() };
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 5));
}

const complete = ({ baseUrl }: Server, body: object = SHORT): ReturnType<typeof send> =>
  send(`${baseUrl}/completions`, "POST", body);

describe("a full queue", () => {
  it("refuses with 503 and says when to come again; what is in it is answered", async () => {
    const server = await start({ concurrency: 1, maxQueue: 1 });
    const first = await running(server);
    const waiting = complete(server);
    await until(() => server.open === 2);
    const { status, headers, body } = await complete(server);
    expect([status, headers.get("retry-after"), body.error.code]).toEqual([503, "1", "queue_full"]);
    first.leave();
    expect((await waiting).status).toBe(200);
    expect((await complete(server)).status).toBe(200);
  });

  it("counts each completion of a request", async () => {
    const server = await start({ concurrency: 1, maxQueue: 2 });
    const first = await running(server, { ...LONG, n: 2 });
    expect(server.open).toBe(2);
    expect((await complete(server, { ...SHORT, prompt: ["a", "b"] })).status).toBe(503);
    expect(server.open).toBe(2);
    const waiting = complete(server);
    await until(() => server.open === 3);
    first.leave();
    expect((await waiting).status).toBe(200);
    await until(() => server.open === 0);
    expect((await complete(server, { ...SHORT, prompt: ["a", "b", "c"] })).status).toBe(200);
  });
});

describe("a client that leaves", () => {
  it("before its stream has begun leaves no trace", async () => {
    const server = await start({ concurrency: 1, maxQueue: 20 });
    const first = await running(server);
    const controllers = Array.from({ length: 20 }, () => new AbortController());
    const waiting = controllers.map(({ signal }) =>
      openStream(`${server.baseUrl}/completions`, SHORT, () => {}, signal).catch((error: Error) => error.name),
    );
    await until(() => server.open === 21);
    for (const controller of controllers) controller.abort();
    expect(await Promise.all(waiting)).toEqual(Array(20).fill("AbortError"));
    await until(() => server.open === 1);
    expect(first.events.length).toBeLessThan(1800);
    first.leave();
  });

  it("in the middle of a stream frees its place on the engine, not only in the queue", async () => {
    const server = await start({ concurrency: 2, maxQueue: 0 });
    const leaver = await running(server);
    const stayer = await running(server);
    expect((await complete(server)).status).toBe(503);
    leaver.leave();
    await until(() => server.open === 1);
    // Had the engine gone on for the one that left, the other would be near its end by now.
    expect(stayer.events.length).toBeLessThan(1000);
    expect((await complete(server)).status).toBe(200);
    stayer.leave();
  });

  it("before its answer is there frees its place too", async () => {
    const server = await start({ concurrency: 2, maxQueue: 0 });
    const controller = new AbortController();
    const { signal } = controller;
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify(LONG);
    const left = fetch(`${server.baseUrl}/completions`, { method: "POST", body, headers, signal });
    const stayer = await running(server);
    controller.abort();
    await expect(left).rejects.toThrow(/abort/);
    await until(() => server.open === 1);
    expect(stayer.events.length).toBeLessThan(1000);
    stayer.leave();
  });

  it("in the middle of its request frees its place", async () => {
    const server = await start({ concurrency: 1, maxQueue: 0 });
    const headers = { "content-type": "application/json", "content-length": "1000" };
    const half = request(`${server.baseUrl}/completions`, { method: "POST", headers });
    half.on("error", () => {});
    half.write('{"prompt": ');
    await until(() => server.open === 1);
    expect((await complete(server)).status).toBe(503);
    half.destroy();
    await until(() => server.open === 0);
    expect((await complete(server)).status).toBe(200);
  });

  it("without having read its stream does not hold up others", async () => {
    const server = await start({ concurrency: 1, maxQueue: 4 });
    const headers = { "content-type": "application/json" };
    const deaf = request(`${server.baseUrl}/completions`, { method: "POST", headers });
    deaf.on("error", () => {}).end(JSON.stringify({ ...LONG, max_tokens: 300, logprobs: 20, stream: true }));
    const [response] = (await once(deaf, "response")) as [NodeJS.ReadableStream];
    response.pause();
    expect((await complete(server)).status).toBe(200);
    deaf.destroy();
  });
});

describe("a server that closes", () => {
  // The time is bounded, because clients keep their connections alive for longer than this.
  it("refuses what comes new, and finishes what runs", { timeout: 60_000 }, async () => {
    // Longer than the test may take: a connection kept alive must not hold the server up.
    const server = await start({ concurrency: 2, drainMs: 600_000 });
    const stream = await running(server, { ...LONG, max_tokens: 300, stream_options: { include_usage: true } });
    const closed = server.close();
    await expect(complete(server)).rejects.toThrow("fetch failed");
    await closed;
    await stream.ended;
    expect(stream.events.at(-1)).toBe("[DONE]");
    expect((JSON.parse(stream.events.at(-2) ?? "") as Body).usage?.completion_tokens).toBe(300);
  });

  it("drops what runs when its time is over, and tells the client so", async () => {
    const server = await start({ concurrency: 2, drainMs: 1 });
    const stream = await running(server);
    const whole = complete(server, LONG);
    await until(() => server.open === 2);
    await server.close();
    await stream.ended;
    expect(stream.events).not.toContain("[DONE]");
    expect(JSON.parse(stream.events.at(-1) ?? "")).toMatchObject({ error: { code: "shutting_down" } });
    expect(await whole).toMatchObject({ status: 503, body: { error: { code: "shutting_down" } } });
  });

  it("does not wait for connections that nothing happens on", async () => {
    const server = await start({ concurrency: 1, drainMs: 600_000 });
    // Kept alive by the client, and opened in advance by one that never sends anything.
    expect((await complete(server)).status).toBe(200);
    const silent = connect(Number(new URL(server.baseUrl).port), "127.0.0.1");
    await once(silent, "connect");
    const hungUp = once(silent.resume(), "close");
    await server.close();
    await expect(complete(server)).rejects.toThrow("fetch failed");
    expect(await hungUp).toEqual([false]);
  });

  it("hangs up on a request that never comes to its end", async () => {
    const server = await start({ concurrency: 1, drainMs: 1 });
    const headers = { "content-type": "application/json", "content-length": "1000" };
    const half = request(`${server.baseUrl}/completions`, { method: "POST", headers });
    half.write('{"prompt": ');
    await until(() => server.open === 1);
    const hungUp = once(half, "error");
    await server.close();
    expect(await hungUp).toEqual([expect.objectContaining({ code: "ECONNRESET" })]);
  });
});

it("an address that is taken is the user's to change", async () => {
  const { baseUrl } = await start({ concurrency: 1 });
  const again = startServer({ routing: "fused", concurrency: 1, port: Number(new URL(baseUrl).port) });
  await expect(again).rejects.toThrow(/port \d+: something listens there already; give another --port/);
  await expect(again).rejects.toHaveProperty("name", "UserError");
  const nowhere = startServer({ routing: "fused", concurrency: 1, port: 0, host: "203.0.113.1" });
  await expect(nowhere).rejects.toThrow(/no such address; correct --host/);
});

it("warns of other machines, all the more without a key", async () => {
  const open = await start({ concurrency: 1, host: "0.0.0.0" });
  const locked = await start({ concurrency: 1, host: "0.0.0.0", apiKey: "sesame" });
  const own = await start({ concurrency: 1, host: "localhost" });
  expect(open.warnings).toEqual([expect.stringMatching(/other machines.*no API key/)]);
  expect(locked.warnings).toEqual([expect.not.stringMatching(/no API key/)]);
  expect(own.warnings).toEqual([]);
});
