import {
  DEFAULT_CONCURRENCY,
  DEFAULT_MARGIN_POINTS,
  DEFAULT_MAX_TOKENS,
  DEFAULT_PARITY_DOCS,
} from "../comparison/defaults.ts";
import { EngineError, UserError } from "../errors.ts";
import type { Comparison } from "../reports/comparison.ts";
import type { Command } from "./command.ts";
import { defineCommand } from "./command.ts";
import { ENGINE_FLAGS, enginesOf } from "./engine-flags.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { integerFlag, numberFlag, textFlag } from "./flags.ts";
import { onInterrupt } from "./on-interrupt.ts";
import { shellWord } from "./shell-word.ts";
import { writeText } from "./write-lines.ts";

/** Runs go here, one folder each, unless --output says otherwise. */
const RUNS = "fusecheck-runs";

/** `fusecheck eval`: asks one task of one engine, with fused routing off, or off and on. */
export const evalCommand: Command = defineCommand({
  name: "eval",
  describe: "ask an engine a task, with fused routing off, or off and on, and compare",
  flags: {
    task: { ...textFlag("task", { describe: "what to ask: gsm_synth, gsm8k, gsm8k_cot, ..." }), demandOption: true },
    fused: {
      type: "boolean",
      default: false,
      describe: "ask with fused routing off and on, and compare answers and routing",
    },
    limit: integerFlag("limit", { min: 1, describe: "only the first N docs", defaultDescription: "all" }),
    "num-fewshot": integerFlag("num-fewshot", {
      min: 0,
      max: 1000,
      describe: "worked examples before each question",
      defaultDescription: "the task's own number",
    }),
    seed: integerFlag("seed", { min: 0, describe: "seed of examples and sampling", defaultDescription: "1234" }),
    chat: { type: "boolean", default: false, describe: "ask in the model's chat template" },
    data: textFlag("data", {
      describe: "folder with the task's files",
      defaultDescription: "the cache, or a download",
    }),
    "max-tokens": integerFlag("max-tokens", {
      min: 1,
      describe: "most tokens to generate per doc",
      defaultDescription: `the task's own, else ${DEFAULT_MAX_TOKENS}`,
    }),
    temperature: numberFlag("temperature", {
      min: 0,
      max: 10,
      describe: "0 is greedy",
      defaultDescription: "the task's own",
    }),
    concurrency: integerFlag("concurrency", {
      min: 1,
      max: 1024,
      describe: "docs at a time",
      defaultDescription: String(DEFAULT_CONCURRENCY),
    }),
    "noise-floor": {
      type: "boolean",
      default: false,
      describe: "ask the baseline once more, and hold fused to what two runs of the baseline differ by",
    },
    "parity-docs": integerFlag("parity-docs", {
      min: 1,
      describe: "docs whose routing is compared",
      defaultDescription: String(DEFAULT_PARITY_DOCS),
    }),
    margin: numberFlag("margin", {
      min: 0,
      max: 100,
      describe: "a difference of exact match that does not matter, in points",
      defaultDescription: String(DEFAULT_MARGIN_POINTS),
    }),
    "until-decided": {
      type: "boolean",
      default: false,
      describe: "ask docs in random order, and stop once a test made for it has decided",
    },
    "fail-on-inconclusive": {
      type: "boolean",
      default: false,
      describe: `end with ${EXIT.inconclusive} where the docs do not decide`,
    },
    output: textFlag("output", {
      describe: "run folder; one that holds the same run is resumed",
      defaultDescription: `a new folder in ${RUNS}/`,
    }),
    quiet: {
      type: "boolean",
      default: false,
      describe: "no progress, and only the verdict (of one variant, its table)",
    },
    json: { type: "boolean", default: false, describe: "print the comparison as JSON instead of text" },
    ...ENGINE_FLAGS,
  },
  examples: [
    ["$0 eval --task gsm_synth --fused", "compare the two routings on the model that comes with fusecheck"],
    ["$0 eval --task gsm8k --limit 100 --output runs/a", "the baseline alone, on 100 docs, kept in runs/a"],
    [
      "$0 eval --task gsm8k --fused --base-url http://a:8000/v1 --fused-base-url http://b:8000/v1",
      "two servers that run already",
    ],
    ["$0 eval --task gsm8k --fused --engine vllm --model M --switch grouped-topk", "vLLM, started twice"],
  ],
  handler: async (flags) => {
    const [
      { evaluate, InterruptedError },
      { getTask },
      { progressOn, SILENT },
      { renderConsole, renderQuiet },
      { jsonFileText },
    ] = await Promise.all([
      import("../comparison/evaluate.ts"),
      import("../tasks/index.ts"),
      import("./progress.ts"),
      import("../reports/console.ts"),
      import("../reports/json.ts"),
    ]);
    if (flags.capture !== undefined && !flags.fused)
      throw new UserError("--capture is for the comparison of two variants; add --fused, or leave it out");
    if (flags["noise-floor"] && !flags.fused)
      throw new UserError("--noise-floor is what fused is held to: add --fused, or leave it out");
    if (flags["until-decided"] && !flags.fused) {
      throw new UserError("--until-decided is about the difference of two variants: add --fused");
    }
    const task = getTask(flags.task ?? "");
    const data = await task.load({ ...(flags.data !== undefined && { dir: flags.data }) });
    const engines = await enginesOf(flags);
    const output = flags.output ?? newRunFolder(task.name);
    const { signal, release } = onInterrupt();
    try {
      const { comparison, folder } = await evaluate({
        task,
        data,
        settings: defined({
          fused: flags.fused,
          limit: flags.limit,
          numFewshot: flags["num-fewshot"],
          seed: flags.seed,
          chat: flags.chat,
          maxTokens: flags["max-tokens"],
          temperature: flags.temperature,
          concurrency: flags.concurrency,
          parityDocs: flags["parity-docs"],
          allowDifferences: flags["allow-differences"],
          marginPoints: flags.margin,
          untilDecided: flags["until-decided"],
          noiseFloor: flags["noise-floor"],
        }),
        engines,
        output,
        asked: askedFlags(flags),
        command: commandLine(flags),
        signal,
        progress: flags.quiet ? SILENT : progressOn(process.stderr),
      });
      const render = flags.json ? jsonFileText : flags.quiet ? renderQuiet : renderConsole;
      await writeText(render(comparison));
      if (!flags.quiet) process.stderr.write(`run folder: ${folder}\n`);
      return exitCodeOf(comparison, { failOnInconclusive: flags["fail-on-inconclusive"] });
    } catch (error) {
      if (!(error instanceof InterruptedError || error instanceof EngineError)) throw error;
      const again = commandLine({ ...flags, output }, startedAs());
      const what = error instanceof EngineError ? error.message : "interrupted";
      process.stderr.write(`fusecheck: ${what}; to go on where it stopped: ${again}\n`);
      return error instanceof EngineError ? EXIT.incomplete : EXIT.interrupted;
    } finally {
      release();
    }
  },
});

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** The object without the members that are undefined, so that defaults stay in one place. */
function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}

type Asked = string | number | boolean | readonly string[];

const NOT_PART_OF_A_RUN = new Set(["$0", "_", "help", "version", "quiet", "json"]);

/** Flags that the user gave, under their own names. */
function askedFlags(flags: object): Record<string, Asked> {
  const given = Object.entries(flags).filter(
    ([name, value]) => !NOT_PART_OF_A_RUN.has(name) && !/[A-Z]/.test(name) && value !== undefined && value !== false,
  );
  return Object.fromEntries(given) as Record<string, Asked>;
}

/** The words before the flags: as the user started the program, so that they can be pasted. */
function startedAs(): string {
  const script = process.env["npm_lifecycle_event"];
  if (script === "eval") return "npm run eval --";
  return script === "fusecheck" ? "npm run fusecheck -- eval" : "fusecheck eval";
}

function commandLine(flags: object, program = "fusecheck eval"): string {
  const words = Object.entries(askedFlags(flags)).flatMap(([name, value]) => {
    if (value === true) return `--${name}`;
    // A value that begins with a dash would be taken for a flag.
    return [value]
      .flat()
      .map((each) => `--${name}${String(each).startsWith("-") ? "=" : " "}${shellWord(String(each))}`);
  });
  return [program, ...words].join(" ");
}

/** A name that sorts by time. */
function newRunFolder(task: string): string {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return `${RUNS}/${task}-${time}-${process.pid}`;
}

function exitCodeOf(
  { verdict: { outcome, complete } }: Comparison,
  { failOnInconclusive }: { readonly failOnInconclusive: boolean },
): ExitCode {
  if (outcome === "regressed") return EXIT.regressed;
  if (!complete) return EXIT.incomplete;
  return outcome === "inconclusive" && failOnInconclusive ? EXIT.inconclusive : EXIT.held;
}
