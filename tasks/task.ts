/** What a task is. Each task is a file that fills this in; `tasks.ts` is the table of them. */
import type { TaskData } from "./data/task-data.ts";
import type { DataSource } from "./data/data-source.ts";
import type { Doc } from "./doc.ts";
import { hashMark, lastNumber } from "./extract.ts";
import type { AnswerFilter } from "./mark.ts";

export type TaskName =
  | "gsm8k"
  | "gsm8k_cot"
  | "gsm8k_cot_zeroshot"
  | "gsm8k_cot_llama"
  | "gsm8k_platinum"
  | "gsm_synth";

/** How an engine is to complete a task's prompts. */
export interface Generation {
  /** Stop strings, in lm-eval's order (a chat API that takes only four is sent the first four). */
  readonly until: readonly string[];
  readonly doSample: boolean;
  /** Absent where lm-eval's task states none. */
  readonly temperature?: number;
  /** Absent where lm-eval's task states none; its runners then use 256 tokens. */
  readonly maxGenToks?: number;
}

export interface Task {
  readonly name: TaskName;
  /** Changes whenever a prompt, a target or a mark may change; lm-eval's own where the task is lm-eval's. */
  readonly version: number;
  /** Examples before the question, unless asked otherwise. */
  readonly numFewshot: number;
  /** Asking for another number of examples changes nothing, as lm-eval has it for a task that states 0. */
  readonly numFewshotFixed: boolean;
  /** `draw`: at random for every doc, by its position. `first`: always the first of the pool. */
  readonly fewshotSampler: "draw" | "first";
  /** The pool is the evaluated split itself: never show a doc its own answer. */
  readonly fewshotFromEvaluated: boolean;
  readonly generation: Generation;
  /** In lm-eval's order: strict first. */
  readonly filters: readonly AnswerFilter[];
  readonly question: (doc: Doc) => string;
  /** What the answer is marked against. */
  readonly target: (doc: Doc) => string;
  /** What an example shows as its answer. */
  readonly exampleTarget: (doc: Doc) => string;
  /** Between an example's question and its answer. */
  readonly targetDelimiter: string;
  readonly load: (source: DataSource) => Promise<TaskData>;
}

/** Between two examples, in every task of the family. */
export const FEWSHOT_DELIMITER = "\n\n";

/** The filter that every task of the family has besides its strict one. */
export const FLEXIBLE_EXTRACT: AnswerFilter = { name: "flexible-extract", extract: lastNumber };

/** What `gsm8k` states and the tasks that ask in its way (`gsm8k_platinum`, `gsm_synth`) keep. */
export const GSM8K_FORM: Omit<Task, "name" | "version" | "load"> = {
  numFewshot: 5,
  numFewshotFixed: false,
  fewshotSampler: "draw",
  fewshotFromEvaluated: false,
  generation: { until: ["Question:", "</s>", "<|im_end|>"], doSample: false, temperature: 0 },
  filters: [{ name: "strict-match", extract: hashMark }, FLEXIBLE_EXTRACT],
  question: (doc) => `Question: ${doc.question}\nAnswer:`,
  target: (doc) => doc.answer,
  exampleTarget: (doc) => doc.answer,
  targetDelimiter: " ",
};
