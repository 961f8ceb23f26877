import type { PromptedDoc } from "../tasks/index.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";
import { writeLines } from "./write-lines.ts";

/** `fusecheck prompts`: what would be sent, doc by doc. */
export const promptsCommand: Command = defineCommand({
  name: "prompts",
  describe: "print a task's prompts as JSON Lines, exactly as they would be sent",
  flags: {
    task: { ...textFlag("task", { describe: "task whose prompts to print" }), demandOption: true },
    "num-fewshot": integerFlag("num-fewshot", {
      min: 0,
      describe: "worked examples before each question",
      defaultDescription: "the task's own number",
    }),
    limit: integerFlag("limit", { min: 1, describe: "only the first N docs", defaultDescription: "all" }),
    seed: integerFlag("seed", { min: 0, describe: "seed of the examples' draws", defaultDescription: "1234" }),
    chat: { type: "boolean", default: false, describe: "messages for a chat engine instead of one text" },
    "fewshot-as-multiturn": {
      type: "boolean",
      describe: "in chat, make each example a turn of its own",
      defaultDescription: "true with --chat",
    },
    "system-instruction": textFlag("system-instruction", { describe: "put before everything else" }),
    data: textFlag("data", {
      describe: "folder with the task's files",
      defaultDescription: "the cache, or a download",
    }),
  },
  examples: [["$0 prompts --task gsm8k --num-fewshot 5 --limit 3", "the first three docs of GSM8K, five-shot"]],
  handler: async (flags) => {
    const { buildPrompts, getTask } = await import("../tasks/index.ts");
    const task = getTask(flags.task ?? "");
    const multiturn = flags["fewshot-as-multiturn"];
    const data = await task.load({ ...(flags.data !== undefined && { dir: flags.data }) });
    if (data.provenance.note !== undefined) process.stderr.write(`fusecheck: ${data.provenance.note}\n`);
    const prompts = buildPrompts(task, data, {
      chat: flags.chat,
      ...(flags["num-fewshot"] !== undefined && { numFewshot: flags["num-fewshot"] }),
      ...(flags.seed !== undefined && { seed: flags.seed }),
      ...(flags.limit !== undefined && { limit: flags.limit }),
      ...(multiturn !== undefined && { fewshotAsMultiturn: multiturn }),
      ...(flags["system-instruction"] !== undefined && { systemInstruction: flags["system-instruction"] }),
    });
    await writeLines(promptRows(prompts));
    return EXIT.held;
  },
});

function* promptRows(prompts: Iterable<PromptedDoc>): Generator<string, void, undefined> {
  for (const prompt of prompts) yield promptRow(prompt);
}

function promptRow({ docId, prompt, target, promptHash, docHash, targetHash }: PromptedDoc): string {
  return JSON.stringify({
    doc_id: docId,
    ...(prompt.kind === "chat" ? { messages: prompt.messages } : { prompt: prompt.text }),
    target,
    prompt_hash: promptHash,
    doc_hash: docHash,
    target_hash: targetHash,
  });
}
