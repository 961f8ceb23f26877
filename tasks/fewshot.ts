/** Which examples stand before a doc's question. */
import { UserError } from "../errors.ts";
import type { FewshotPool } from "./data/task-data.ts";
import type { Doc } from "./doc.ts";
import { isDeepStrictEqual } from "node:util";
import { MersenneTwister } from "./mersenne-twister.ts";
import type { Task } from "./task.ts";

/** How many examples a task shows when `asked` were asked for; a task with a fixed number shows that. */
export function resolveNumFewshot(task: Task, asked?: number): number {
  if (asked === undefined || task.numFewshotFixed) return task.numFewshot;
  if (!Number.isSafeInteger(asked) || asked < 0) {
    throw new UserError(`${task.name}: cannot show ${asked} examples; ask for a whole number of at least 0`);
  }
  return asked;
}

/** Gives the examples of one doc after the other; must be called for every doc from the first on, in order. */
export type NextExamples = (doc: Doc) => readonly Doc[];

/**
 * lm-eval's samplers. The drawing one takes a fresh draw without repeats per doc from one stream of random numbers, so that
 * the doc at position k always sees the k-th draw, however many docs are asked. Where the pool is the evaluated split, one
 * more is drawn and the doc itself left out.
 *
 * @param seed - lm-eval's fourth `--seed`, 1234 unless given
 * @throws UserError when the pool is too small
 */
export function fewshotSampler(task: Task, pool: FewshotPool, numFewshot: number, seed: number | bigint): NextExamples {
  const needed = numFewshot === 0 ? 0 : numFewshot + (task.fewshotFromEvaluated ? 1 : 0);
  if (needed > pool.size) {
    throw new UserError(
      `${task.name}: ${numFewshot} examples were asked for, but there are only ` +
        `${pool.size}${task.fewshotFromEvaluated ? ", and a doc is never its own example" : ""}; ask for fewer with --num-fewshot`,
    );
  }
  if (numFewshot === 0) return () => [];
  if (task.fewshotSampler === "first") {
    const examples = Array.from({ length: numFewshot }, (_, index) => pool.at(index));
    return () => examples;
  }
  const random = new MersenneTwister(seed);
  return (doc) => {
    const drawn = random.sampleIndices(pool.size, needed).map((index) => pool.at(index));
    const shown = task.fewshotFromEvaluated ? drawn.filter((example) => !isDeepStrictEqual(example, doc)) : drawn;
    return shown.slice(0, numFewshot);
  };
}
