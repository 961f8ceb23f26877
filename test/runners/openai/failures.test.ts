/** Every failure ends in an answer got by asking again, or by name; never in an answer that is none. */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { EngineError } from "../../../errors.ts";
import { RequestFailedError } from "../../../runners/openai/index.ts";
import type { FailureKind, OpenAiRunnerOptions } from "../../../runners/openai/index.ts";
import { ask, completion, openOn, openTestRunner, startTestServer } from "./ask.ts";
import { TRANSIENT_FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";

const LIMITS = { maxResponseBytes: 1024 ** 2 };

const KINDS: Readonly<Record<(typeof TRANSIENT_FAULTS)[number], FailureKind>> = {
  "status 408": "status",
  "status 409": "status",
  "status 425": "status",
  "status 429": "status",
  "status 500": "status",
  "status 502 html": "status",
  "status 503": "status",
  "status 504": "status",
  "retry-after": "status",
  reset: "reset",
  "reset half-way": "reset",
  hang: "first-byte-timeout",
  "hang half-way": "idle-timeout",
  drip: "total-timeout",
  "malformed json": "malformed",
  "malformed sse": "malformed",
  html: "malformed",
  cut: "reset",
  "cut cleanly": "cut",
  "no choices": "no-choices",
  "null content": "no-content",
  "error in a 200": "server-error",
  "error in a stream": "server-error",
  huge: "too-large",
  "header bomb": "too-large",
  "not http": "malformed",
  "given up": "server-error",
};

/** Clocks that only the faults that are about time run against: a busy machine is slow. */
const PATIENT = { firstByteMs: 30_000, idleMs: 30_000, totalMs: 60_000 };
const clocks = (fault: Fault): Partial<OpenAiRunnerOptions> =>
  ["hang", "hang half-way", "drip"].includes(fault) ? {} : { timeouts: PATIENT };

async function failure(promise: Promise<unknown>): Promise<RequestFailedError> {
  const error = await promise.then(
    () => "an answer",
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RequestFailedError);
  return error as RequestFailedError;
}

describe.each(TRANSIENT_FAULTS)("%s", (fault) => {
  it("once: the next attempt answers", async () => {
    const { runner, server } = await openOn(
      { fault: (n) => (n === 0 ? fault : undefined) },
      { limits: LIMITS, ...clocks(fault) },
    );
    expect(await ask(runner)).toMatchObject({ text: "Answer to 1 + 1" });
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.body).toEqual(server.requests[0]?.body);
    expect([...runner.stats.failures]).toEqual([[KINDS[fault], 1]]);
  });

  it("again and again: the request fails by name, and the next one is asked as ever", async () => {
    let broken = true;
    const { runner, server } = await openOn(
      { fault: () => (broken ? fault : undefined) },
      { limits: LIMITS, retries: { attempts: 2, baseMs: 1, capMs: 2 }, ...clocks(fault) },
    );
    const error = await failure(ask(runner));
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ kind: KINDS[fault], attempts: 2 });
    expect(error.message).toContain(`${server.baseUrl}/completions: `);
    expect(error.message).toContain("after 2 attempts");
    broken = false;
    expect(await ask(runner)).toMatchObject({ text: "Answer to 1 + 1" });
  });
});

describe.each([400, 401, 403, 404, 413, 422, 307])("status %d", (status) => {
  it("is not asked again, and says what the server said", async () => {
    const { runner, server } = await openOn({ fault: () => `status ${status}` as Fault });
    const error = await failure(ask(runner));
    expect(error).toMatchObject({ kind: "status", status, attempts: 1 });
    expect(error.message).toContain(`HTTP ${status}: status ${status}`);
    expect(server.requests).toHaveLength(1);
  });
});

describe("what is said", () => {
  it("a 404 lists the models there are", async () => {
    const { runner } = await openOn({ models: ["a", "b"], fault: () => "status 404" }, { model: "a" });
    expect((await failure(ask(runner))).message).toMatch(/; the server's models: a, b$/);
  });

  it.each([
    ["openai", "status 500"],
    ["atom", "status 500"],
    ["sglang", "status 500"],
    ["tgi", "status 500"],
  ] as const)("%s: the error's own words", async (dialect, words) => {
    const { runner } = await openOn({ dialect, fault: () => "status 500" }, { retries: { attempts: 1 } });
    expect((await failure(ask(runner))).message).toMatch(new RegExp(`: HTTP 500: ${words}$`));
  });

  it("the start of a page in HTML, on one line", async () => {
    const { runner } = await openOn({ fault: () => "status 502 html" }, { retries: { attempts: 1 } });
    expect((await failure(ask(runner))).message).toContain("HTTP 502: <!DOCTYPE html><html><body><h1>Bad Gateway");
  });

  it("a server that does not count its tokens is not guessed at", async () => {
    const body = JSON.stringify({ choices: [{ text: "2", finish_reason: "stop" }] });
    const { runner } = await openOn({
      intercept: ({ method }, response) => {
        if (method === "POST") response.end(body);
        return method === "POST";
      },
    });
    expect(await failure(ask(runner))).toMatchObject({ kind: "no-usage", attempts: 1 });
  });
});

describe("waiting", () => {
  it("obeys Retry-After", async () => {
    const { runner } = await openOn(
      {
        intercept: ({ method }, response) => {
          if (method !== "POST" || runner.stats.retries > 0) return false;
          response.writeHead(503, { "retry-after": "0.2" }).end();
          return true;
        },
      },
      { retries: { capMs: 1000 } },
    );
    const start = performance.now();
    await ask(runner);
    expect(performance.now() - start).toBeGreaterThanOrEqual(195);
  });

  it("also where that is far longer than its own waits, and with what it was not asked about", async () => {
    const told: string[] = [];
    let turnedAway = 0;
    const { runner, server } = await openOn(
      {
        intercept: ({ method }, response) => {
          if (method !== "POST" || turnedAway > 0) return false;
          turnedAway++;
          response.writeHead(429, { "retry-after": "6" }).end();
          return true;
        },
      },
      { retries: { baseMs: 1, capMs: 2 }, notify: (text) => told.push(text) },
    );
    const start = performance.now();
    const first = ask(runner);
    await expect.poll(() => told.length).toBe(1);
    const second = ask(runner);
    await Promise.all([first, second]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(5995);
    // The second one was held back rather than turned away.
    expect([turnedAway, server.requests.length]).toEqual([1, 3]);
    expect(told[0]).toMatch(/^no request is sent before \d.*: .*HTTP 429/);
  });

  it("but not for a day: that is a failure with its reason", async () => {
    const { runner } = await openOn({
      intercept: ({ method }, response) => {
        if (method !== "POST") return false;
        response.writeHead(429, { "retry-after": "86400" }).end();
        return true;
      },
    });
    const { attempts, message } = await failure(ask(runner));
    expect(attempts).toBe(1);
    expect(message).toMatch(/HTTP 429.*; it asks to be left alone for 86400 s, and is waited for 600 s at most$/);
  });

  it.each(["hang", "hang half-way", "drip"] as const)(
    "%s: is given fewer attempts than other failures",
    async (fault) => {
      const timeouts = { firstByteMs: 30, idleMs: 30, totalMs: 60 };
      const { runner, server } = await openOn({ fault: () => fault }, { timeouts, retries: { slowAttempts: 2 } });
      expect(await failure(ask(runner))).toMatchObject({ attempts: 2 });
      expect(server.requests).toHaveLength(2);
    },
  );

  it("an answer that trickles in is an answer as long as it does not stop", async () => {
    const idleMs = 400;
    const { runner } = await openOn(
      {
        intercept: ({ method }, response) => {
          if (method !== "POST") return false;
          const usage = { prompt_tokens: 1, completion_tokens: 1 };
          const body = JSON.stringify({ choices: [{ text: "2", finish_reason: "stop" }], usage });
          response.writeHead(200, { "content-type": "application/json" });
          let sent = 0;
          const timer = setInterval(() => {
            response.write(body.slice(sent, sent + 5));
            sent += 5;
            if (sent < body.length) return;
            clearInterval(timer);
            response.end();
          }, 30);
          return true;
        },
      },
      { timeouts: { firstByteMs: idleMs, idleMs, totalMs: 60_000 } },
    );
    const start = performance.now();
    expect(await ask(runner)).toMatchObject({ text: "2" });
    expect(performance.now() - start).toBeGreaterThan(idleMs);
    expect(runner.stats.failures.size).toBe(0);
  });

  /** Sends a stream: one part now, the next when it has been waited for so long. */
  function streamed(parts: readonly string[], everyMs: number): Parameters<typeof openOn>[0] {
    return {
      intercept: ({ method }, response) => {
        if (method !== "POST") return false;
        response.writeHead(200, { "content-type": "text/event-stream" });
        let sent = 0;
        const timer = setInterval(() => {
          response.write(parts[sent++ % parts.length]);
          if (sent >= parts.length && parts.at(-1) !== PING) response.end();
        }, everyMs);
        response.on("close", () => clearInterval(timer));
        return true;
      },
    };
  }
  const PING = ": ping\n\n";
  const EVENT = `data: ${JSON.stringify({
    choices: [{ text: "2", finish_reason: "stop" }],
    usage: { prompt_tokens: 1, completion_tokens: 1 },
  })}\n\n`;

  it.each([
    ["pings before it", [...Array.from({ length: 45 }, () => PING), EVENT], 1],
    ["an event that comes in a letter at a time", EVENT.split(""), EVENT.length / 2],
  ] as const)("a stream with %s is an answer, however long they take together", async (_, parts, leastPieces) => {
    const idleMs = 1500;
    const { runner } = await openOn(streamed(parts, 40), {
      stream: true,
      retries: { attempts: 1 },
      timeouts: { firstByteMs: idleMs, idleMs, totalMs: 60_000 },
    });
    const start = performance.now();
    expect(await ask(runner)).toMatchObject({ text: "2" });
    expect(performance.now() - start).toBeGreaterThan(idleMs);
    expect(runner.stats.failures.size).toBe(0);
    expect(runner.stats.pieces).toBeGreaterThanOrEqual(leastPieces);
    if (leastPieces === 1) expect(runner.stats.pieces).toBe(1);
  });

  it("a stream that sends nothing but pings ends with the whole attempt's time, and has given no sign of work", async () => {
    const { runner } = await openOn(streamed([PING], 20), {
      stream: true,
      retries: { attempts: 1 },
      timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: 400 },
    });
    expect(await failure(ask(runner))).toMatchObject({ kind: "total-timeout" });
    expect(runner.stats).toMatchObject({ pieces: 0, inFlight: 0 });
  });

  it("a stream that goes on with pings after its [DONE] is an answer all the same", async () => {
    const { runner } = await openOn(
      streamed([`${EVENT}data: [DONE]\n\n`, ...Array.from({ length: 9 }, () => PING)], 20),
      {
        stream: true,
        timeouts: PATIENT,
      },
    );
    const start = performance.now();
    expect(await ask(runner)).toMatchObject({ text: "2" });
    // Not only when the whole attempt's time is over.
    expect(performance.now() - start).toBeLessThan(PATIENT.totalMs / 2);
    expect(runner.stats.failures.size).toBe(0);
  });

  it("spends no more than the run's budget of retries", async () => {
    const { runner, server } = await openOn({ fault: () => "status 500" }, { retries: { attempts: 4, runRetries: 5 } });
    const errors = [await failure(ask(runner)), await failure(ask(runner)), await failure(ask(runner))];
    expect(errors.map(({ attempts }) => attempts)).toEqual([4, 3, 1]);
    expect(errors[2]?.message).toContain("the run's budget of 5 retries is spent");
    expect(server.requests).toHaveLength(8);
  });

  it("ends at once when the caller gives up, during a wait and during a request", async () => {
    for (const fault of ["status 500", "hang"] as const) {
      const { runner } = await openOn(
        { fault: () => fault },
        {
          retries: { baseMs: 60_000, capMs: 60_000 },
          timeouts: { firstByteMs: 60_000, totalMs: 60_000 },
          random: () => 0.9,
        },
      );
      const controller = new AbortController();
      const asked = ask(runner, completion("1"), {}, controller.signal);
      setTimeout(() => controller.abort(new Error("enough")), 50);
      await expect(asked).rejects.toThrow("enough");
      expect(runner.stats.failed).toBe(0);
    }
  });
});

describe("connections", () => {
  it("are kept: a hundred requests in a row need one", async () => {
    const { runner, server } = await openOn({});
    for (let i = 0; i < 100; i++) await ask(runner);
    expect(server.connections()).toBe(1);
  });

  it("a connection that nobody accepts times out by name", async () => {
    const { runner, server } = await openOn({}, { retries: { attempts: 1 } });
    await server.close();
    expect((await failure(ask(runner))).kind).toBe("unreachable");
  });

  it("a server that accepts and says nothing is left in time", async () => {
    const silent = createServer(() => {}).listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as AddressInfo;
    const opening = openTestRunner({ baseUrls: [`http://127.0.0.1:${port}`], retries: { attempts: 1 } });
    await expect(opening).rejects.toThrow("is not ready: no response within 0.25 s");
  });
});

describe("several replicas", () => {
  it("share the requests, and the living do the work of a dead one", async () => {
    const servers = await Promise.all([startTestServer(), startTestServer(), startTestServer()]);
    const runner = await openTestRunner({ baseUrls: servers.map(({ baseUrl }) => baseUrl) });
    const many = (n: number): Promise<unknown> => Promise.all(Array.from({ length: n }, () => ask(runner)));
    await many(30);
    expect(servers.map(({ requests }) => requests.length)).toEqual([10, 10, 10]);
    await servers[1]?.close();
    await many(30);
    expect(runner.stats).toMatchObject({ answered: 60, failed: 0 });
    expect(servers[1]?.requests).toHaveLength(10);
  });
});
