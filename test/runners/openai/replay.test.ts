/** Real completions of a real model, sent through a real server and marked: the published scores must come out. */
import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { askDocs } from "../../../runners/ask-docs.ts";
import type { Outcome } from "../../../runners/ask-docs.ts";
import { DIALECTS } from "../../../runners/openai/index.ts";
import type { DialectName, OpenAiRunner } from "../../../runners/openai/index.ts";
import { buildPrompts, getTask, mark } from "../../../tasks/index.ts";
import type { PromptedDoc } from "../../../tasks/index.ts";
import { HAS_SHARED, sharedPath, sharedRows } from "../../tasks/shared.ts";
import { openOn } from "./ask.ts";
import { TRANSIENT_FAULTS } from "./faults.ts";
import type { Fault } from "./faults.ts";

type Column = "6b_finetuning" | "6b_verification";
type Solved = Readonly<Record<Column, { readonly solution: string; readonly is_correct: boolean }>>;

/** Of 1319, under both filters. */
const CORRECT: Readonly<Record<Column, number>> = { "6b_finetuning": 286, "6b_verification": 515 };

/** Client and server share a thread, and many requests wait for it: only what is meant to time out should. */
const PATIENT = { timeouts: { firstByteMs: 60_000, idleMs: 60_000, totalMs: 60_000 } };
const LESS_PATIENT = { timeouts: { firstByteMs: 1000, idleMs: 1000, totalMs: 2000 } };

const task = getTask("gsm8k");

const built = new Map<boolean, Promise<readonly PromptedDoc[]>>();

/** Built once: they take longer than their answers. */
function prompts(chat: boolean): Promise<readonly PromptedDoc[]> {
  const known = built.get(chat);
  if (known !== undefined) return known;
  const building = task
    .load({ dir: sharedPath("gsm8k") })
    .then((data): readonly PromptedDoc[] => [...buildPrompts(task, data, { chat })]);
  built.set(chat, building);
  return building;
}

/** The published completions end in `A: 18`. */
function completions(column: Column): readonly string[] {
  const rows = sharedRows<Solved>("gsm8k/model_solutions_6b.jsonl");
  return rows.map((row) => row[column].solution.replace(/A: (.*)$/, "#### $1"));
}

interface Asked {
  readonly docs: readonly PromptedDoc[];
  readonly texts: readonly string[];
}

async function given(column: Column, chat = false): Promise<Asked & { complete: (prompt: string) => string }> {
  const docs = await prompts(chat);
  const texts = completions(column);
  const byPrompt = new Map(docs.map(({ prompt, docId }) => [lastText(prompt), texts[docId] as string]));
  expect(byPrompt.size).toBe(1319);
  return { docs, texts, complete: (prompt) => byPrompt.get(prompt) ?? "unknown prompt" };
}

function lastText(prompt: PromptedDoc["prompt"]): string {
  return prompt.kind === "completion" ? prompt.text : (prompt.messages.at(-1)?.content ?? "");
}

async function run(runner: OpenAiRunner, { docs }: Asked, concurrency: number): Promise<Map<number, Outcome>> {
  const outcomes = new Map<number, Outcome>();
  const questions = docs.map((doc) => ({
    doc,
    prompt: doc.prompt,
    options: { maxTokens: 512, stop: task.generation.until, temperature: 0, seed: `1234:${doc.docId}` },
  }));
  await askDocs(runner, questions, {
    concurrency,
    signal: new AbortController().signal,
    onOutcome: async (doc, outcome) => {
      expect(outcomes.has(doc.docId)).toBe(false);
      outcomes.set(doc.docId, outcome);
    },
  });
  return outcomes;
}

function scores({ docs }: Asked, outcomes: ReadonlyMap<number, Outcome>): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const doc of docs) {
    const outcome = outcomes.get(doc.docId);
    if (outcome?.kind !== "completed") throw new Error(`doc ${doc.docId}: ${outcome?.reason ?? "no outcome"}`);
    for (const [filter, { exactMatch }] of mark(task, outcome.answer.text, doc.target))
      totals[filter] = (totals[filter] ?? 0) + exactMatch;
  }
  return totals;
}

function both(correct: number): Record<string, number> {
  return { "strict-match": correct, "flexible-extract": correct };
}

describe.skipIf(!HAS_SHARED)("published completions, replayed (needs ../shared)", () => {
  const columns = Object.entries(CORRECT) as [Column, number][];

  it.each(columns)("%s scores %d one at a time", async (column, correct) => {
    const asked = await given(column);
    const { runner, server } = await openOn({ complete: asked.complete }, PATIENT);
    expect(scores(asked, await run(runner, asked, 1))).toEqual(both(correct));
    expect(server.mostAtOnce()).toBe(1);
    expect(server.connections()).toBe(1);
  });

  it.each(columns)("%s scores %d at 64 at a time, in any order of completion", async (column, correct) => {
    const asked = await given(column);
    const random = seedrandom(`order ${column}`);
    const { runner, server } = await openOn({ complete: asked.complete, delayMs: () => random() * 20 }, PATIENT);
    const outcomes = await run(runner, asked, 64);
    expect(scores(asked, outcomes)).toEqual(both(correct));
    expect([...outcomes.keys()]).not.toEqual(asked.docs.map(({ docId }) => docId));
    expect(server.requests).toHaveLength(1319);
    expect(server.mostAtOnce()).toBeGreaterThan(32);
    expect(server.connections()).toBeLessThanOrEqual(64);
  });

  it.each(Object.keys(DIALECTS) as DialectName[])("%s, chat and streamed: the same texts", async (dialect) => {
    const asked = await given("6b_verification", true);
    const docs = asked.docs.slice(0, 40);
    const { runner } = await openOn({ dialect, complete: asked.complete }, { ...PATIENT, api: "chat", stream: true });
    const outcomes = await run(runner, { ...asked, docs }, 16);
    const texts = docs.map(({ docId }) => {
      const outcome = outcomes.get(docId);
      return outcome?.kind === "completed" ? outcome.answer.text : outcome?.reason;
    });
    expect(texts).toEqual(asked.texts.slice(0, 40));
  });

  it.each([false, true])(
    "every failure at random in a tenth of the requests changes nothing (streamed: %s)",
    async (stream) => {
      const asked = await given("6b_verification");
      const docs = stream ? asked.docs.slice(0, 400) : asked.docs;
      const random = seedrandom(`faults ${stream}`);
      const seen = new Set<Fault>();
      const fault = (): Fault | undefined => {
        if (random() >= 0.1) return undefined;
        const chosen = TRANSIENT_FAULTS[Math.floor(random() * TRANSIENT_FAULTS.length)] as Fault;
        seen.add(chosen);
        return chosen;
      };
      const { runner, server } = await openOn(
        { complete: asked.complete, fault, merge: 20 },
        { ...LESS_PATIENT, stream, retries: { slowAttempts: 8 }, limits: { maxResponseBytes: 1024 ** 2 } },
      );
      const outcomes = await run(runner, { ...asked, docs }, 64);
      const rows = sharedRows<Solved>("gsm8k/model_solutions_6b.jsonl").slice(0, docs.length);
      const correct = rows.filter((row) => row["6b_verification"].is_correct).length;
      expect(correct).toBe(stream ? 156 : 515);
      expect(scores({ ...asked, docs }, outcomes)).toEqual(both(correct));
      expect(seen.size).toBeGreaterThan(15);
      expect(runner.stats.retries).toBe(server.requests.length - docs.length);
      expect(runner.stats).toMatchObject({ requests: docs.length, answered: docs.length, failed: 0 });
    },
  );
});
