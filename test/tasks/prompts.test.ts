import { describe, expect, it, test } from "vitest";
import type { TaskData } from "../../tasks/data/task-data.ts";
import { listedData } from "../../tasks/data/task-data.ts";
import {
  buildPrompts,
  filteredResponse,
  generationKwargs,
  getTask,
  mark,
  promptText,
  sha256OfText,
  TASKS,
} from "../../tasks/index.ts";
import type { Doc, Message, PromptedDoc } from "../../tasks/index.ts";
import { HAS_SHARED, sharedJson, sharedPath, sharedRows } from "./shared.ts";

const DOCS: readonly Doc[] = Array.from({ length: 30 }, (_, i) => ({
  question: `How many is ${i}?`,
  answer: `#### ${i}`,
}));

function data(docs: readonly Doc[] = DOCS, pool: readonly Doc[] = DOCS): TaskData {
  return listedData(docs, pool, { source: "given", published: false, files: [] });
}

function first(prompts: Iterable<PromptedDoc>): PromptedDoc {
  for (const prompt of prompts) return prompt;
  throw new Error("no prompts");
}

/** Each doc's examples, by their numbers. */
function examples(name: string, numFewshot: number): number[][] {
  return [...buildPrompts(getTask(name), data(), { numFewshot })].map(({ prompt }) =>
    [...promptText(prompt).matchAll(/#### (\d+)/g)].map(([, number]) => Number(number)),
  );
}

function load(name: string): Promise<TaskData> {
  return getTask(name).load({ dir: sharedPath("gsm8k") });
}

async function lengths(name: string, numFewshot?: number): Promise<number[]> {
  const prompts = buildPrompts(getTask(name), await load(name), numFewshot === undefined ? {} : { numFewshot });
  return [...prompts].map(({ prompt }) => promptText(prompt).length);
}

describe("buildPrompts", () => {
  it("puts examples, question and an optional instruction together", () => {
    const [doc] = buildPrompts(getTask("gsm8k"), data(DOCS, DOCS.slice(0, 1)), {
      numFewshot: 1,
      systemInstruction: "Think.",
    });
    expect(doc!.prompt).toEqual({
      kind: "completion",
      text: "Think.Question: How many is 0?\nAnswer: #### 0\n\nQuestion: How many is 0?\nAnswer:",
    });
  });

  it("makes turns of the examples in chat, or one message", () => {
    const options = { numFewshot: 1, chat: true, systemInstruction: "Think." };
    const task = getTask("gsm8k");
    const one = data(DOCS, DOCS.slice(3, 4));
    expect(first(buildPrompts(task, one, options)).prompt).toEqual({
      kind: "chat",
      messages: [
        { role: "system", content: "Think." },
        { role: "user", content: "Question: How many is 3?\nAnswer:" },
        { role: "assistant", content: "#### 3" },
        { role: "user", content: "Question: How many is 0?\nAnswer:" },
      ],
    });
    expect(first(buildPrompts(task, one, { ...options, fewshotAsMultiturn: false })).prompt).toEqual({
      kind: "chat",
      messages: [
        { role: "system", content: "Think." },
        { role: "user", content: "Question: How many is 3?\nAnswer: #### 3\n\nQuestion: How many is 0?\nAnswer:" },
      ],
    });
  });

  it("gives a doc the same prompt whatever the limit, and builds none that is not asked for", () => {
    const task = getTask("gsm8k");
    const all = [...buildPrompts(task, data())];
    expect([...buildPrompts(task, data(), { limit: 7 })]).toEqual(all.slice(0, 7));
    expect([...buildPrompts(task, data(), { limit: 1000 })]).toHaveLength(30);
    expect(all.map(({ docId }) => docId)).toEqual(DOCS.map((_, index) => index));
  });

  it("never shows a doc its own answer where examples come from the evaluated split", () => {
    const task = getTask("gsm8k_platinum");
    for (const { doc, prompt } of buildPrompts(task, data(DOCS.slice(0, 8), DOCS.slice(0, 8)), { numFewshot: 7 })) {
      const text = promptText(prompt);
      expect(text.split(`${doc.question}\n`)).toHaveLength(2);
      expect(text.split("#### ")).toHaveLength(8);
    }
  });

  it("draws as if one more were wanted there, leaves the doc out, and keeps the first", () => {
    const drawn = examples("gsm8k", 5);
    const kept = examples("gsm8k_platinum", 4);
    expect(kept).toEqual(drawn.map((five, id) => five.filter((n) => n !== id).slice(0, 4)));
    expect(drawn.some((five, id) => five.includes(id))).toBe(true);
  });

  it("ignores the number of examples where the task fixes it", () => {
    const task = getTask("gsm8k_cot_zeroshot");
    const { prompt } = first(buildPrompts(task, data(DOCS, []), { numFewshot: 5 }));
    expect(promptText(prompt)).toBe("Q: How many is 0?\nA: Let's think step by step.");
  });

  it.each([
    ["gsm8k", { numFewshot: 31 }, /31 examples.*only 30/],
    ["gsm8k_platinum", { numFewshot: 30 }, /30 examples.*never its own example/],
    ["gsm8k", { numFewshot: -1 }, /whole number/],
    ["gsm8k", { numFewshot: 1.5 }, /whole number/],
    ["gsm8k", { fewshotAsMultiturn: true }, /only in chat/],
  ])("refuses at once what cannot be: %s %j", (name, options, message) => {
    expect(() => buildPrompts(getTask(name), data(), options)).toThrow(message);
  });

  it("asks gsm_synth's docs in gsm8k's form, as many as wanted, with examples of its own train split", async () => {
    const task = getTask("gsm_synth");
    const synth = await task.load({});
    const prompts = [...buildPrompts(task, synth, { limit: synth.total + 5 })];
    expect(prompts).toHaveLength(synth.total + 5);
    for (const { doc, prompt } of prompts) {
      const text = promptText(prompt);
      expect(text).toMatch(/^(Question: [^]+?\nAnswer: [^]+?\n#### -?\d+\n\n){3}Question: [^]+\nAnswer:$/);
      expect(text.endsWith(`Question: ${doc.question}\nAnswer:`)).toBe(true);
      expect(text.split(doc.question)).toHaveLength(2);
    }
    expect([...synth.docs()]).toHaveLength(synth.total);
  });
});

interface PromptCase {
  readonly tag: string;
  readonly task: string;
  readonly num_fewshot: number;
  readonly fewshot_seed: number;
  readonly style: "completion" | "chat_multiturn" | "chat_singleturn";
  readonly position: number;
  readonly doc_id: number;
  readonly target: string;
  readonly generation_kwargs: object;
  readonly prompt_hash: string;
  readonly prompt?: string;
  readonly messages?: readonly Message[];
  readonly messages_json?: string;
}

describe.skipIf(!HAS_SHARED)("buildPrompts against lm-eval (needs ../shared)", () => {
  const cases = HAS_SHARED ? sharedRows<PromptCase>("golden/prompts.jsonl") : [];
  const named = cases.map((row): [string, PromptCase] => [
    `${row.task}, ${row.num_fewshot} shots, seed ${row.fewshot_seed}, ${row.style}, doc ${row.doc_id}, ${row.tag}`,
    row,
  ]);

  test.each(named)("%s", async (_, row) => {
    const task = getTask(row.task);
    const prompts = buildPrompts(task, await load(row.task), {
      numFewshot: row.tag.includes("--num_fewshot 5") ? 5 : row.num_fewshot,
      seed: row.fewshot_seed,
      limit: row.position + 1,
      chat: row.style !== "completion",
      ...(row.style !== "completion" && { fewshotAsMultiturn: row.style === "chat_multiturn" }),
      ...(row.tag === "system_instruction" && { systemInstruction: "You are a careful math tutor." }),
    });
    const { prompt, promptHash, target, docId } = [...prompts][row.position]!;
    expect(prompt).toEqual(
      row.style === "completion" ? { kind: "completion", text: row.prompt } : { kind: "chat", messages: row.messages },
    );
    expect(promptText(prompt)).toBe(row.prompt ?? row.messages_json);
    expect([promptHash, target, docId]).toEqual([row.prompt_hash, row.target, row.doc_id]);
    expect(JSON.stringify(generationKwargs(task))).toBe(JSON.stringify(row.generation_kwargs));
  });

  interface Sample {
    readonly doc_id: number;
    readonly doc: Doc;
    readonly target: string;
    readonly arguments: { readonly gen_args_0: { readonly arg_0: string | [string]; readonly arg_1: object } };
    readonly resps: readonly [readonly [string]];
    readonly filtered_resps: readonly [string];
    readonly filter: string;
    readonly doc_hash: string;
    readonly prompt_hash: string;
    readonly target_hash: string;
    readonly exact_match: number;
  }

  it.each([
    ["samples_gsm8k.jsonl", false],
    ["chat_samples_gsm8k.jsonl", true],
  ])("repeats a real run: %s", async (file, chat) => {
    const samples = sharedRows<Sample>(`golden/lm_eval_run/${file}`);
    const task = getTask("gsm8k");
    const limit = Math.max(...samples.map((sample) => sample.doc_id)) + 1;
    const prompts = [...buildPrompts(task, await load("gsm8k"), { limit, chat })];
    for (const sample of samples) {
      const { doc, prompt, target, docHash, promptHash, targetHash } = prompts[sample.doc_id]!;
      const marked = mark(task, sample.resps[0][0], target).get(sample.filter)!;
      expect({
        doc,
        prompt: chat ? [promptText(prompt)] : promptText(prompt),
        target,
        hashes: [docHash, promptHash, targetHash],
        kwargs: generationKwargs(task),
        marked: [filteredResponse(marked), marked.exactMatch],
      }).toEqual({
        doc: sample.doc,
        prompt: sample.arguments.gen_args_0.arg_0,
        target: sample.target,
        hashes: [sample.doc_hash, sample.prompt_hash, sample.target_hash],
        kwargs: sample.arguments.gen_args_0.arg_1,
        marked: [sample.filtered_resps[0], sample.exact_match],
      });
    }
  });

  it("has the run's hash over all docs, prompts and targets", async () => {
    const samples = sharedRows<Sample>("golden/lm_eval_run/samples_gsm8k.jsonl");
    const prompts = [...buildPrompts(getTask("gsm8k"), await load("gsm8k"), { limit: 100 })];
    const results = sharedJson("golden/lm_eval_run/results.json") as { task_hashes: { gsm8k: string } };
    const hashes = samples.map((row) => prompts[row.doc_id]!).map((p) => p.docHash + p.promptHash + p.targetHash);
    expect(sha256OfText(hashes.join(""))).toBe(results.task_hashes.gsm8k);
  });

  it("builds all 1319 prompts of every task of the family, of the lengths that lm-eval's have", async () => {
    const five = await lengths("gsm8k");
    const eight = await lengths("gsm8k", 8);
    expect([five.length, Math.min(...five), Math.max(...five)]).toEqual([1319, 1684, 5085]);
    expect([eight.length, Math.min(...eight), Math.max(...eight)]).toEqual([1319, 2813, 7024]);
    for (const name of Object.keys(TASKS).filter((task) => task !== "gsm_synth")) {
      expect(await lengths(name)).toHaveLength(1319);
    }
  });

  it("gives the last doc the 1319th draw", async () => {
    const gsm8k = await load("gsm8k");
    const last = [...buildPrompts(getTask("gsm8k"), gsm8k)].at(-1)!;
    const shown = [220, 4179, 6064, 5599, 5541].map((index) => gsm8k.fewshotPool.at(index).question);
    const questions = promptText(last.prompt)
      .split("\n\nQuestion: ")
      .map((part) => part.replace(/^Question: /, ""));
    expect(questions.map((part) => part.split("\nAnswer:")[0])).toEqual([...shown, last.doc.question]);
  });
});
