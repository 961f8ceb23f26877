/** The parts of a run that no engine takes part in: making GSM8K's prompts, marking answers, generating problems. */
import { buildPrompts, getTask, mark } from "../tasks/index.ts";
import { synthProblem } from "../tasks/gsm-synth/index.ts";
import type { BenchmarkOptions } from "./benchmark.ts";
import { markdownTable } from "./markdown-table.ts";
import { median, range, whole } from "./statistics.ts";

const REPEATS = 7;
const SYNTH_PROBLEMS = 5000;
/** What building all prompts, and marking all answers, may take. */
const LIMIT_MS = 1000;

export async function benchTasks({ data }: BenchmarkOptions): Promise<string> {
  const rows: string[][] = [];
  const row = (what: string, count: number, unit: string, times: readonly number[], limit: string): void => {
    const rate = `${whole((count / median(times)) * 1000)} ${unit}/s`;
    rows.push([what, milliseconds(median(times)), range(times, milliseconds), rate, limit]);
  };
  const task = getTask("gsm8k");
  if (data === undefined) {
    const missing = "not measured: needs GSM8K's files, `-- tasks --data DIR`";
    rows.push(["gsm8k: prompts", missing, "", "", ""], ["gsm8k: marking", missing, "", "", ""]);
  } else {
    const loaded = await task.load({ dir: data });
    const limit = `${LIMIT_MS} ms`;
    row(
      "gsm8k: 5-shot prompts of all docs",
      loaded.total,
      "docs",
      timed(() => consume(buildPrompts(task, loaded))),
      limit,
    );
    const docs = [...buildPrompts(task, loaded)];
    // A solution in GSM8K's own form is what a model that knows the task writes; it goes on to the next question.
    const completions = docs.map(({ doc, target }) => ({
      text: ` ${doc.answer}\n\nQuestion: ${doc.question}`,
      target,
    }));
    const markAll = (): void => completions.forEach(({ text, target }) => void mark(task, text, target));
    row("gsm8k: marking all answers, both filters", loaded.total, "docs", timed(markAll), limit);
  }
  let next = 0;
  const generate = (): void => {
    for (let i = 0; i < SYNTH_PROBLEMS; i++) synthProblem("train", next++);
  };
  row(`gsm_synth: ${whole(SYNTH_PROBLEMS)} problems`, SYNTH_PROBLEMS, "problems", timed(generate), "-");
  return [
    markdownTable(["what", "median", "range", "rate", "limit"], rows),
    "",
    `Wall time, one thread, ${REPEATS} repeats after one to warm up; prompts with their hashes, as a run makes them.`,
  ].join("\n");
}

function timed(work: () => void): number[] {
  work();
  return Array.from({ length: REPEATS }, () => {
    const start = performance.now();
    work();
    return performance.now() - start;
  });
}

function consume(items: Iterable<unknown>): void {
  for (const item of items) void item;
}

function milliseconds(value: number): string {
  return `${whole(value)} ms`;
}
