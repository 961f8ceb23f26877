/** Builds what is sent for each doc, byte for byte as lm-eval builds it. */
import { UserError } from "../errors.ts";
import type { TaskData } from "./data/task-data.ts";
import type { Doc } from "./doc.ts";
import { fewshotSampler, resolveNumFewshot } from "./fewshot.ts";
import type { NextExamples } from "./fewshot.ts";
import { hashDoc, sha256OfText } from "./hashes.ts";
import { dumpMessages } from "./python-text.ts";
import { FEWSHOT_DELIMITER } from "./task.ts";
import type { Task } from "./task.ts";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export type Prompt =
  | { readonly kind: "completion"; readonly text: string }
  | { readonly kind: "chat"; readonly messages: readonly Message[] };

export interface PromptOptions {
  /** Default: the task's. Without effect where the task fixes it. */
  readonly numFewshot?: number;
  /** Of the examples' draws. Default: 1234, lm-eval's. */
  readonly seed?: number | bigint;
  /** Only the first so many docs; they get the prompts that they would get in a full run. Default: all. */
  readonly limit?: number;
  /** Messages instead of one text. Default: false. */
  readonly chat?: boolean;
  /** In chat: each example as a turn of its own, rather than all in one message. Default: true in chat. */
  readonly fewshotAsMultiturn?: boolean;
  /** Put first: a system message in chat, otherwise before the text with nothing between. Default: none. */
  readonly systemInstruction?: string;
}

export interface PromptedDoc {
  /** The doc's position in the evaluated split, from 0. */
  readonly docId: number;
  readonly doc: Doc;
  readonly prompt: Prompt;
  readonly target: string;
  readonly docHash: string;
  readonly promptHash: string;
  readonly targetHash: string;
}

/** lm-eval's default for the seed of the few-shot draws. */
export const FEWSHOT_SEED = 1234;

/**
 * Prompts in the docs' order, each built when it is asked for.
 *
 * @throws UserError at once, when the options ask for what the task cannot give
 */
export function buildPrompts(
  task: Task,
  data: TaskData,
  options: PromptOptions = {},
): Generator<PromptedDoc, void, undefined> {
  const { seed = FEWSHOT_SEED, limit, chat = false, fewshotAsMultiturn = chat } = options;
  if (fewshotAsMultiturn && !chat) throw new UserError("examples can be turns of their own only in chat form (--chat)");
  const numFewshot = resolveNumFewshot(task, options.numFewshot);
  const nextExamples = fewshotSampler(task, data.fewshotPool, numFewshot, seed);
  const assemble = chat ? (fewshotAsMultiturn ? multiturnChat : singleTurnChat) : completion;
  const system = options.systemInstruction ?? "";
  return generate(task, data.docs(limit), nextExamples, (doc, examples) => assemble(task, doc, examples, system));
}

function* generate(
  task: Task,
  docs: Iterable<Doc>,
  nextExamples: NextExamples,
  assemble: (doc: Doc, examples: readonly Doc[]) => Prompt,
): Generator<PromptedDoc, void, undefined> {
  let docId = 0;
  for (const doc of docs) {
    const prompt = assemble(doc, nextExamples(doc));
    const target = task.target(doc);
    yield {
      docId: docId++,
      doc,
      prompt,
      target,
      docHash: hashDoc(doc),
      promptHash: sha256OfText(promptText(prompt)),
      targetHash: sha256OfText(target),
    };
  }
}

/** The prompt as lm-eval logs and hashes it: a chat's messages as JSON in Python's spacing. */
export function promptText(prompt: Prompt): string {
  return prompt.kind === "completion" ? prompt.text : dumpMessages(prompt.messages);
}

function examplesAndQuestion(task: Task, doc: Doc, examples: readonly Doc[]): string {
  const shown = examples.map(
    (example) => task.question(example) + task.targetDelimiter + task.exampleTarget(example) + FEWSHOT_DELIMITER,
  );
  return shown.join("") + task.question(doc);
}

function completion(task: Task, doc: Doc, examples: readonly Doc[], system: string): Prompt {
  return { kind: "completion", text: system + examplesAndQuestion(task, doc, examples) };
}

function singleTurnChat(task: Task, doc: Doc, examples: readonly Doc[], system: string): Prompt {
  const content = examplesAndQuestion(task, doc, examples);
  return { kind: "chat", messages: [...systemMessage(system), { role: "user", content }] };
}

function multiturnChat(task: Task, doc: Doc, examples: readonly Doc[], system: string): Prompt {
  const turns = examples.flatMap((example): Message[] => [
    { role: "user", content: task.question(example) },
    { role: "assistant", content: task.exampleTarget(example) },
  ]);
  return {
    kind: "chat",
    messages: [...systemMessage(system), ...turns, { role: "user", content: task.question(doc) }],
  };
}

function systemMessage(content: string): Message[] {
  return content === "" ? [] : [{ role: "system", content }];
}
