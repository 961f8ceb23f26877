import { DEFAULT_CAPTURED_DOCS, DEFAULT_CONCURRENCY, DEFAULT_MAX_TOKENS } from "../comparison/defaults.ts";
import type { SequencesToCapture } from "../comparison/capture-sequences.ts";
import { UserError } from "../errors.ts";
import type { Captured } from "../reports/captured.ts";
import type { InferredOptionTypes } from "yargs";
import type { Command, FlagTable } from "./command.ts";
import { defineCommand } from "./command.ts";
import { ENGINE_FLAGS, enginesOf } from "./engine-flags.ts";
import { EXIT } from "./exit-code.ts";
import { integerFlag, textFlag } from "./flags.ts";
import { onInterrupt } from "./on-interrupt.ts";
import { shellWord } from "./shell-word.ts";
import { writeText } from "./write-lines.ts";

const FLAGS = {
  output: {
    ...textFlag("output", { describe: "capture file to write, such as baseline.safetensors" }),
    demandOption: true,
  },
  task: textFlag("task", { describe: "take the prompts of this task: gsm_synth, gsm8k, gsm8k_cot, ..." }),
  docs: integerFlag("docs", {
    min: 1,
    max: 100_000,
    describe: "so many of the task's docs, drawn by --seed",
    defaultDescription: String(DEFAULT_CAPTURED_DOCS),
  }),
  "doc-ids": textFlag("doc-ids", { describe: "just these docs, such as 3,17" }),
  prompts: textFlag("prompts", {
    describe: 'JSON Lines file of prompts instead: {"prompt": text}, {"messages": [...]} or {"token_ids": [...]}',
  }),
  completions: textFlag("completions", {
    describe: "run the tokens of this capture, or of this run's baseline, instead: then two variants run the same",
  }),
  fused: { type: "boolean", default: false, describe: "capture with fused routing on" },
  force: { type: "boolean", default: false, describe: "replace the file if it exists" },
  "num-fewshot": integerFlag("num-fewshot", {
    min: 0,
    max: 1000,
    describe: "worked examples before each question",
    defaultDescription: "the task's own number",
  }),
  seed: integerFlag("seed", {
    min: 0,
    describe: "seed of the docs' and the examples' draws",
    defaultDescription: "1234",
  }),
  chat: { type: "boolean", default: false, describe: "ask in the model's chat template" },
  data: textFlag("data", { describe: "folder with the task's files", defaultDescription: "the cache, or a download" }),
  "max-tokens": integerFlag("max-tokens", {
    min: 1,
    describe: "most tokens to generate per doc",
    defaultDescription: `the task's own, else ${DEFAULT_MAX_TOKENS}`,
  }),
  concurrency: integerFlag("concurrency", {
    min: 1,
    max: 1024,
    describe: "docs at a time",
    defaultDescription: String(DEFAULT_CONCURRENCY),
  }),
  quiet: { type: "boolean", default: false, describe: "no progress, and nothing printed but errors" },
  json: { type: "boolean", default: false, describe: "print what was captured as JSON instead of text" },
  ...ENGINE_FLAGS,
} as const satisfies FlagTable;

type Flags = InferredOptionTypes<typeof FLAGS>;

/** `fusecheck capture`: which experts an engine uses for some prompts, as a file. */
export const captureCommand: Command = defineCommand({
  name: "capture",
  describe: "capture which experts an engine uses for some prompts, to be compared by parity captures",
  flags: FLAGS,
  examples: [
    ["$0 capture --task gsm_synth --output a.safetensors", "the embedded engine, fused routing off, on 5 prompts"],
    ["$0 capture --completions a.safetensors --fused --output b.safetensors", "the same tokens with fused routing on"],
    ["$0 parity captures a.safetensors b.safetensors", "and both compared"],
  ],
  handler: async (flags) => {
    refuseContradictions(flags);
    const [{ captureRouting }, { renderCaptured }, { jsonFileText }, { progressOn, SILENT }] = await Promise.all([
      import("../comparison/capture-routing.ts"),
      import("../reports/captured-text.ts"),
      import("../reports/json.ts"),
      import("./progress.ts"),
    ]);
    const what = await sequencesOf(flags);
    const { chat, fused, output = "", force, quiet } = flags;
    const concurrency = Math.min(flags.concurrency ?? DEFAULT_CONCURRENCY, what.sequences.length);
    // One server that runs already is the variant that the user says it is.
    const alone = fused && flags["base-url"] !== undefined && flags["fused-base-url"] === undefined;
    const engines = (await enginesOf({ ...flags, fused: fused && !alone }))({ concurrency, chat });
    const { signal, release } = onInterrupt();
    try {
      const captured = await captureRouting({
        engines,
        open: fused && !alone ? "fused" : "baseline",
        variant: fused ? "fused" : "baseline",
        what,
        concurrency,
        output,
        force,
        signal,
        progress: quiet ? SILENT : progressOn(process.stderr),
      });
      if (!quiet)
        await writeText(flags.json ? jsonFileText(captured) : renderCaptured(captured, next(flags, captured)));
      return (captured.invariants?.broken ?? 0) > 0 ? EXIT.regressed : EXIT.held;
    } catch (error) {
      if (!signal.aborted) throw error;
      process.stderr.write("fusecheck: interrupted; nothing was written\n");
      return EXIT.interrupted;
    } finally {
      release();
    }
  },
});

/** Where the prompts come from, and the flags that only go with a task, or with prompts that are to be completed. */
const SOURCES = ["task", "prompts", "completions"] as const;
const OF_A_TASK = ["docs", "num-fewshot", "seed", "data"] as const;
const OF_PROMPTS = ["max-tokens", "chat"] as const;

function refuseContradictions(flags: Flags): void {
  const given = SOURCES.filter((name) => flags[name] !== undefined);
  const [source, second] = given;
  if (source === undefined) throw new UserError("say what to capture: --task, --prompts or --completions");
  if (second !== undefined) throw new UserError(`--${source} and --${second} exclude each other`);
  const none = source === "task" ? [] : source === "prompts" ? OF_A_TASK : [...OF_A_TASK, ...OF_PROMPTS];
  const stray = none.find((name) => flags[name] !== undefined && flags[name] !== false);
  if (stray !== undefined) throw new UserError(`--${stray} does not go with --${source}`);
  if (flags.docs !== undefined && flags["doc-ids"] !== undefined)
    throw new UserError("--docs and --doc-ids exclude each other");
}

async function sequencesOf(flags: Flags): Promise<SequencesToCapture> {
  const { sequencesOfCapture, sequencesOfFile, sequencesOfTask } = await import("../comparison/capture-sequences.ts");
  const { chat, docs, seed, "num-fewshot": numFewshot, "max-tokens": maxTokens } = flags;
  const docIds = docIdsOf(flags["doc-ids"]);
  if (flags.completions !== undefined) return sequencesOfCapture(flags.completions, docIds);
  if (flags.prompts !== undefined)
    return sequencesOfFile(flags.prompts, { chat, docIds, ...(maxTokens !== undefined && { maxTokens }) });
  const { getTask } = await import("../tasks/index.ts");
  const task = getTask(flags.task ?? "");
  const data = await task.load({ ...(flags.data !== undefined && { dir: flags.data }) });
  if (data.provenance.note !== undefined) process.stderr.write(`fusecheck: ${data.provenance.note}\n`);
  return sequencesOfTask(task, data, { docs, docIds, numFewshot, seed, chat, maxTokens });
}

function docIdsOf(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}(,\d{1,9})*$/.test(text))
    throw new UserError(`--doc-ids takes doc ids with commas between, such as 3,17, not "${text}"`);
  return text.split(",").map(Number);
}

/** What to do with the file. */
function next(flags: Flags, { kind, path }: Captured): readonly string[] {
  const file = shellWord(path);
  if (kind === "given") return [`fusecheck parity captures ${shellWord(flags.completions ?? "")} ${file}`];
  const other = shellWord(
    path.replace(/(\.safetensors)?$/, flags.fused ? "-baseline.safetensors" : "-fused.safetensors"),
  );
  const model = flags.model === undefined ? "" : ` --model ${shellWord(flags.model)}`;
  const isServer = ["engine", "base-url", "launch", "config"].some((name) => flags[name as keyof Flags] !== undefined);
  const engine = isServer ? " (and the engine's flags)" : model;
  return [
    `fusecheck capture --completions ${file}${flags.fused ? "" : " --fused"} --output ${other}${engine}`,
    `fusecheck parity captures ${flags.fused ? `${other} ${file}` : `${file} ${other}`}`,
  ];
}
