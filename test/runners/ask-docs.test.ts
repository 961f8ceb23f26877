import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { askDocs } from "../../runners/ask-docs.ts";
import type { Outcome, Question } from "../../runners/ask-docs.ts";
import type { Answer, Runner } from "../../runners/runner.ts";

const OPTIONS = { maxTokens: 1, stop: [], temperature: 0, seed: "1" };

function* questions(count: number): Generator<Question<number>> {
  for (let doc = 0; doc < count; doc++)
    yield { doc, prompt: { kind: "completion", text: String(doc) }, options: OPTIONS };
}

function answer(text: string): Answer {
  return { text, finishReason: "stop", promptTokens: 1, completionTokens: 1 };
}

/** A runner whose answers come from a function, and which counts how many are asked of it at a time. */
function runnerOf(
  complete: (text: string, signal: AbortSignal) => Promise<Answer>,
): Runner & { readonly most: () => number } {
  let now = 0;
  let most = 0;
  return {
    async complete(prompt, _options, signal) {
      now += 1;
      most = Math.max(most, now);
      try {
        return await complete(prompt.kind === "completion" ? prompt.text : "", signal);
      } finally {
        now -= 1;
      }
    },
    close: () => Promise.resolve(),
    most: () => most,
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("askDocs", () => {
  it("gives every doc one outcome, failed docs too, and never asks more at a time than it may", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ ms: fc.integer({ min: 0, max: 3 }), fails: fc.boolean() }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        async (docs, concurrency) => {
          const runner = runnerOf(async (text) => {
            const { ms, fails } = docs[Number(text)]!;
            if (ms > 0) await pause(ms);
            if (fails) throw new Error(`no answer to ${text}`);
            return answer(text);
          });
          const outcomes = new Map<number, Outcome>();
          await askDocs(runner, questions(docs.length), {
            concurrency,
            signal: new AbortController().signal,
            onOutcome: (doc, outcome) => {
              expect(outcomes.has(doc)).toBe(false);
              outcomes.set(doc, outcome);
              return Promise.resolve();
            },
          });
          expect(outcomes.size).toBe(docs.length);
          for (const [doc, { fails }] of docs.entries()) {
            expect(outcomes.get(doc)).toMatchObject(
              fails
                ? { kind: "failed", reason: `no answer to ${doc}` }
                : { kind: "completed", answer: { text: String(doc) } },
            );
          }
          expect(runner.most()).toBeLessThanOrEqual(concurrency);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("takes questions only as there is room for them", async () => {
    let taken = 0;
    function* counted(): Generator<Question<number>> {
      for (const question of questions(1000)) {
        taken += 1;
        yield question;
      }
    }
    let ahead = 0;
    let ended = 0;
    await askDocs(
      runnerOf((text) => Promise.resolve(answer(text))),
      counted(),
      {
        concurrency: 4,
        signal: new AbortController().signal,
        onOutcome: () => {
          ahead = Math.max(ahead, taken - ended);
          ended += 1;
          return Promise.resolve();
        },
      },
    );
    expect(ended).toBe(1000);
    expect(ahead).toBeLessThanOrEqual(4 * 2 + 1);
  });

  it("ends the run with what onOutcome threw, once the docs in flight have ended", async () => {
    let inFlight = 0;
    const runner = runnerOf(async (text) => {
      inFlight += 1;
      await pause(Number(text) === 0 ? 1 : 20);
      inFlight -= 1;
      return answer(text);
    });
    const full = new Error("the disk is full");
    const asking = askDocs(runner, questions(50), {
      concurrency: 4,
      signal: new AbortController().signal,
      onOutcome: (doc) => (doc === 0 ? Promise.reject(full) : Promise.resolve()),
    });
    await expect(asking).rejects.toBe(full);
    expect(inFlight).toBe(0);
  });

  it("asks nothing more once aborted, and gives no outcome to what was cut off", async () => {
    const controller = new AbortController();
    let asked = 0;
    const runner = runnerOf((text, signal) => {
      asked += 1;
      if (Number(text) < 3) return Promise.resolve(answer(text));
      controller.abort(new Error("interrupted"));
      return Promise.reject(signal.reason as Error);
    });
    const outcomes: number[] = [];
    await askDocs(runner, questions(100), {
      concurrency: 1,
      signal: controller.signal,
      onOutcome: (doc) => {
        outcomes.push(doc);
        return Promise.resolve();
      },
    });
    expect(outcomes).toEqual([0, 1, 2]);
    expect(asked).toBe(4);
  });
});
