import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";
import { writeLines } from "./write-lines.ts";

/** `fusecheck score`: marks completions that exist already. */
export const scoreCommand: Command = defineCommand({
  name: "score",
  describe: "mark completions that exist already, and print lm-eval's table",
  flags: {
    task: { ...textFlag("task", { describe: "task whose filters and metric to use" }), demandOption: true },
    completions: {
      ...textFlag("completions", { describe: "JSON Lines file: completion, and doc_id or target" }),
      demandOption: true,
    },
    output: textFlag("output", { describe: "JSON Lines file to write: what each filter found, row by row" }),
    "num-fewshot": integerFlag("num-fewshot", {
      min: 0,
      describe: "examples that the completions were made with, for the table",
      defaultDescription: "the task's own number",
    }),
    data: textFlag("data", {
      describe: "folder with the task's files",
      defaultDescription: "the cache, or a download",
    }),
  },
  examples: [["$0 score --task gsm8k --completions answers.jsonl --output marks.jsonl", "mark, print and keep"]],
  handler: async (flags) => {
    const [{ getTask, resolveNumFewshot, scoreCompletions }, { exactMatch }, { tableInput }, { makeTable }] =
      await Promise.all([
        import("../tasks/index.ts"),
        import("../metrics/exact-match.ts"),
        import("../reports/lm-eval-results.ts"),
        import("../reports/table.ts"),
      ]);
    const task = getTask(flags.task ?? "");
    const numFewshot = resolveNumFewshot(task, flags["num-fewshot"]);
    const summary = await untilInterrupted((signal) =>
      scoreCompletions(task, {
        completions: flags.completions ?? "",
        ...(flags.output !== undefined && { output: flags.output }),
        source: { ...(flags.data !== undefined && { dir: flags.data }) },
        signal,
      }),
    );
    if (summary === "interrupted") return EXIT.interrupted;
    const { total, filters, provenance } = summary;
    if (provenance?.note !== undefined) process.stderr.write(`fusecheck: ${provenance.note}\n`);
    const scores = filters.map(({ filter, scores: marks }) => ({ filter, summary: exactMatch(marks) }));
    const input = tableInput({ task: task.name, version: task.version, scores, numFewshot, effectiveDocs: total });
    // lm-eval prints its table, which ends in a newline, with one more.
    await writeLines([makeTable(input)]);
    return EXIT.held;
  },
});

/** Lets Ctrl-C end the work in its own way, so that no half-written file stays behind. */
async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T | "interrupted"> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return "interrupted";
    throw error;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
