/** Servers that die, come back, or turn everybody away. */
import { describe, expect, it } from "vitest";
import { askDocs } from "../../../runners/ask-docs.ts";
import type { Question } from "../../../runners/ask-docs.ts";
import type { OpenAiRunner } from "../../../runners/openai/index.ts";
import { EngineLostError } from "../../../runners/runner.ts";
import { ask, completion, GREEDY, openOn, startTestServer } from "./ask.ts";

function questions(docs: readonly number[]): Question<number>[] {
  return docs.map((doc) => ({ doc, prompt: completion(`doc ${doc}`), options: GREEDY }));
}

const DOCS = Array.from({ length: 400 }, (_, i) => i);

/** What became of each doc that ended. */
async function askAll(
  runner: OpenAiRunner,
  docs: readonly number[],
  onEach: (done: number) => Promise<void> = async () => {},
): Promise<{ answered: Map<number, string>; failed: string[]; error: unknown }> {
  const answered = new Map<number, string>();
  const failed: string[] = [];
  const asked = askDocs(runner, questions(docs), {
    concurrency: 16,
    signal: new AbortController().signal,
    onOutcome: async (doc, outcome) => {
      if (outcome.kind === "completed") answered.set(doc, outcome.answer.text);
      else failed.push(outcome.reason);
      await onEach(answered.size);
    },
  });
  const error = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { answered, failed, error };
}

/** `startTestServer` has to be called while its test runs, and be waited for. */
function restart(port: number): { server: Promise<unknown>; start: () => void } {
  let start = (): void => {};
  const begun = new Promise<void>((resolve) => (start = resolve));
  return { server: begun.then(() => startTestServer({ port })), start };
}

function unanswered(answered: ReadonlyMap<number, string>): number[] {
  return DOCS.filter((doc) => !answered.has(doc));
}

describe("a server that dies", () => {
  it("ends the run within seconds, marks no doc as failed, and leaves the rest to be asked later", async () => {
    const { runner, server } = await openOn(
      { delayMs: () => 2 },
      { retries: { attempts: 50, baseMs: 50, capMs: 200 }, breaker: { unreachableMs: 500 } },
    );
    const start = performance.now();
    const { answered, failed, error } = await askAll(runner, DOCS, async (done) => {
      if (done === 100) await server.close();
    });
    expect(performance.now() - start).toBeLessThan(5000);
    expect(error).toBeInstanceOf(EngineLostError);
    expect((error as Error).message).toMatch(/^the server has been out of reach for [\d.]+ s: .*ECONNREFUSED/);
    expect(failed).toEqual([]);
    expect(answered.size).toBeLessThan(DOCS.length);
    const again = await openOn({}, { timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: 60_000 } });
    const rest = await askAll(again.runner, unanswered(answered));
    expect(rest.failed).toEqual([]);
    const all = new Map([...answered, ...rest.answered]);
    expect(DOCS.map((doc) => all.get(doc))).toEqual(DOCS.map((doc) => `Answer to doc ${doc}`));
  });

  it("also when all requests wait for long before they try again", async () => {
    const { runner, server } = await openOn(
      { delayMs: () => 2 },
      {
        retries: { attempts: 50, baseMs: 600_000, capMs: 600_000 },
        breaker: { unreachableMs: 300 },
        random: () => 0.9,
      },
    );
    const { failed, error } = await askAll(runner, DOCS, async (done) => {
      if (done === 100) await server.close();
    });
    expect((error as Error).message).toMatch(
      /^the server has been out of reach for 0\.3 s: .*(ECONNREFUSED|the connection broke)/,
    );
    expect(failed).toEqual([]);
  });

  it("also when it goes on accepting requests and answers none of them", async () => {
    let dead = false;
    const { runner } = await openOn(
      { fault: () => (dead ? "status 500" : undefined), delayMs: () => 1 },
      { retries: { attempts: 3, baseMs: 1, capMs: 2 }, breaker: { failedInARow: 10 } },
    );
    const { answered, failed, error } = await askAll(runner, DOCS, async (done) => {
      dead = done >= 50;
    });
    expect(error).toBeInstanceOf(EngineLostError);
    expect((error as Error).message).toContain("10 requests in a row got no answer; the last: ");
    expect((error as Error).message).toContain("HTTP 500");
    expect(answered.size + failed.length).toBeLessThan(DOCS.length);
  });

  it("but not when it drops a connection now and then and answers in between", async () => {
    const { runner, server } = await openOn(
      { fault: (n) => (n % 5 === 0 ? "reset" : undefined), delayMs: () => 5 },
      { breaker: { unreachableMs: 100 }, timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: 60_000 } },
    );
    const start = performance.now();
    for (let doc = 0; doc < 40; doc++) expect(await ask(runner)).toMatchObject({ text: "Answer to 1 + 1" });
    // Many accidents over a much longer time than a dead server is given.
    expect(performance.now() - start).toBeGreaterThan(150);
    expect(runner.stats.failures.get("reset")).toBe(server.requests.length - 40);
    expect(server.requests.length).toBe(50);
  });

  it("a key that is no longer taken ends the run with advice", async () => {
    let revoked = false;
    const { runner } = await openOn({ fault: () => (revoked ? "status 401" : undefined), delayMs: () => 1 });
    const { failed, error } = await askAll(runner, DOCS, async (done) => {
      revoked = done >= 50;
    });
    expect(error).toBeInstanceOf(EngineLostError);
    expect((error as Error).message).toMatch(/^the server refuses the key: .*HTTP 401.*; set OPENAI_API_KEY to one/);
    expect(failed.length).toBeLessThan(20);
  });

  it("but not when the requests are to blame", async () => {
    const { runner } = await openOn({ fault: () => "status 400" }, { breaker: { failedInARow: 10 } });
    const { failed, error } = await askAll(runner, DOCS);
    expect(error).toBeUndefined();
    expect(failed).toHaveLength(DOCS.length);
  });
});

describe("a server that comes back", () => {
  it("after a restart half-way, every doc is answered", async () => {
    const { runner, server } = await openOn(
      { delayMs: () => 2 },
      { retries: { attempts: 50, baseMs: 20, capMs: 100 }, breaker: { unreachableMs: 20_000 } },
    );
    const { server: again, start } = restart(server.port);
    const { answered, failed, error } = await askAll(runner, DOCS, async (done) => {
      if (done !== 100) return;
      await server.close();
      setTimeout(start, 300);
    });
    await again;
    expect({ error, failed }).toEqual({ error: undefined, failed: [] });
    expect(DOCS.map((doc) => answered.get(doc))).toEqual(DOCS.map((doc) => `Answer to doc ${doc}`));
  });

  it("after a storm of 429, every doc is answered", async () => {
    const { runner } = await openOn(
      { fault: (n) => (n < 300 ? (n % 2 === 0 ? "status 429" : "retry-after") : undefined) },
      { retries: { attempts: 60, baseMs: 1, capMs: 20 } },
    );
    const { answered, failed } = await askAll(runner, DOCS);
    expect(failed).toEqual([]);
    expect(answered.size).toBe(DOCS.length);
    expect(runner.stats.failures.get("status")).toBe(300);
  });

  it("one that was lost stays lost: the run decides when to start again", async () => {
    const { runner, server } = await openOn({}, { breaker: { unreachableMs: 0 }, retries: { attempts: 10 } });
    await server.close();
    await expect(ask(runner)).rejects.toThrow(EngineLostError);
    await startTestServer({ port: server.port });
    await expect(ask(runner)).rejects.toThrow(EngineLostError);
  });
});
