/** `npm run bench [-- NAME ...]`: runs benchmarks, all of them unless named, and prints Markdown. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { UserError } from "../errors.ts";
import { didYouMean } from "../nearest.ts";
import packageJson from "../package.json" with { type: "json" };
import { describeEnvironment } from "../reports/environment.ts";
import type { Benchmark } from "./benchmark.ts";
import { benchBootstrap } from "./bootstrap.ts";
import { benchCaptures } from "./captures.ts";
import { benchClient } from "./client.ts";
import { benchDrift } from "./drift.ts";
import { benchEngine } from "./engine.ts";
import { benchHistory } from "./history.ts";
import { benchLlamaCpp } from "./llama-cpp.ts";
import { benchMainJob } from "./main-job.ts";
import { benchRouting } from "./routing.ts";
import { replaceSection } from "./sections.ts";
import { benchTasks } from "./tasks.ts";

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  routing: { title: "Routing data: the fused chain against the reference chain and a copy", run: benchRouting },
  captures: { title: "Two captures compared", run: benchCaptures },
  bootstrap: { title: "The bootstrap over docs", run: benchBootstrap },
  tasks: { title: "Tasks: prompts, marking, problems", run: benchTasks },
  engine: { title: "The embedded engine against Transformers", run: benchEngine },
  "llama-cpp": { title: "The embedded engine against llama.cpp", run: benchLlamaCpp },
  client: { title: "The client against lm-eval", run: benchClient },
  history: { title: "The history", run: benchHistory },
  drift: { title: "The drift alarm, simulated", run: benchDrift },
  "main-job": { title: "The main command", run: benchMainJob },
};
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

const flags = await yargs(hideBin(process.argv))
  .scriptName("npm run bench --")
  .usage("$0 [NAME ...]")
  .option("data", {
    type: "string",
    requiresArg: true,
    describe: "a folder with GSM8K's two files, for `tasks` and `client`",
  })
  .option("python", {
    type: "string",
    requiresArg: true,
    describe: "a Python with torch and transformers, for `engine` [$FUSECHECK_PYTHON]",
  })
  .option("lm-eval-python", {
    type: "string",
    requiresArg: true,
    describe: "a Python with lm-eval[api], for `client` [$FUSECHECK_LM_EVAL_PYTHON, --python]",
  })
  .option("llama-bench", {
    type: "string",
    requiresArg: true,
    describe: "llama.cpp's llama-batched-bench, for `llama-cpp`",
  })
  .option("gguf", {
    type: "string",
    requiresArg: true,
    describe: "the model as GGUF (test/live/to_gguf.py), for `llama-cpp`",
  })
  .option("write", { type: "boolean", default: false, describe: "also put the results into docs/benchmarks.md" })
  .epilogue(`Benchmarks: ${Object.keys(BENCHMARKS).join(", ")}. Let the machine do nothing else meanwhile.`)
  .version(false)
  .strictOptions()
  .parseAsync();

try {
  const names = flags._.length === 0 ? Object.keys(BENCHMARKS) : flags._.map(String);
  // All are looked up before the first one takes its minutes.
  const chosen = names.map((name) => [name, getBenchmark(name)] as const);
  const python = flags.python ?? process.env["FUSECHECK_PYTHON"];
  const lmEvalPython = flags.lmEvalPython ?? process.env["FUSECHECK_LM_EVAL_PYTHON"] ?? flags.python;
  const options = { data: flags.data, python, lmEvalPython, llamaBench: flags.llamaBench, gguf: flags.gguf };
  for (const [name, { title, run }] of chosen) {
    const result = `${await run(options)}\n\n${await provenance(name)}\n`;
    process.stdout.write(`## ${title}\n\n${result}\n`);
    if (flags.write) writeFileSync(DOCUMENT, replaceSection(readFileSync(DOCUMENT, "utf8"), name, result));
  }
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

function getBenchmark(name: string): Benchmark {
  const found = Object.hasOwn(BENCHMARKS, name) ? BENCHMARKS[name] : undefined;
  if (found !== undefined) return found;
  const names = Object.keys(BENCHMARKS);
  throw new UserError(`no benchmark "${name}"${didYouMean(name, names)}; there are: ${names.join(", ")}`);
}

/** Machine, date and command: a number without them says nothing. */
async function provenance(name: string): Promise<string> {
  const version = packageJson.dependencies["onnxruntime-node"];
  const { cpu, cores, node } = await describeEnvironment({});
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${cpu}, ${cores} virtual processors, Node ${node}, onnxruntime-node ${version}; \`npm run bench -- ${name}\`.`;
}
