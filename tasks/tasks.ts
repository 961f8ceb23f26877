/** The table of tasks: a new task is a file and a row here. */
import { UserError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import { gsm8kCotLlama } from "./gsm8k-cot-llama.ts";
import { gsm8kCotZeroshot } from "./gsm8k-cot-zeroshot.ts";
import { gsm8kCot } from "./gsm8k-cot.ts";
import { gsm8kPlatinum } from "./gsm8k-platinum.ts";
import { gsm8k } from "./gsm8k.ts";
import { gsmSynth } from "./gsm-synth.ts";
import { markWith } from "./mark.ts";
import type { Marked } from "./mark.ts";
import type { Task, TaskName } from "./task.ts";

export const TASKS: Readonly<Record<TaskName, Task>> = {
  gsm8k,
  gsm8k_cot: gsm8kCot,
  gsm8k_cot_zeroshot: gsm8kCotZeroshot,
  gsm8k_cot_llama: gsm8kCotLlama,
  gsm8k_platinum: gsm8kPlatinum,
  gsm_synth: gsmSynth,
};

/** @throws UserError that lists the tasks there are and names the nearest */
export function getTask(name: string): Task {
  if (Object.hasOwn(TASKS, name)) return TASKS[name as TaskName];
  const names = Object.keys(TASKS);
  throw new UserError(`unknown task "${name}"${didYouMean(name, names)}; there are: ${names.join(", ")}`);
}

/**
 * Marks a completion of a task, with each of its filters.
 *
 * @param completion - as the engine gave it
 * @param target - the doc's, as `PromptedDoc.target` has it; the answer alone does too
 * @returns by filter name, in lm-eval's order
 */
export function mark(task: Task, completion: string, target: string): ReadonlyMap<string, Marked> {
  return markWith(task.filters, completion, target);
}

/** A task's generation settings under lm-eval's names and in its order, as its samples files hold them. */
export function generationKwargs({ generation }: Task): Readonly<Record<string, unknown>> {
  const names = {
    until: "until",
    doSample: "do_sample",
    temperature: "temperature",
    maxGenToks: "max_gen_toks",
  } as const;
  const entries = Object.entries(generation).map(([key, value]) => [names[key as keyof typeof names], value]);
  return Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
}
