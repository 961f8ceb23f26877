/** `npm run bench [-- NAME ...]`: runs benchmarks, all of them unless named, and prints Markdown. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import packageJson from "../package.json" with { type: "json" };
import { describeEnvironment } from "../reports/environment.ts";
import type { Benchmark } from "./benchmark.ts";
import { benchClient } from "./client.ts";
import { benchEngine } from "./engine.ts";
import { benchLlamaCpp } from "./llama-cpp.ts";
import { benchMainJob } from "./main-job.ts";
import { benchRouting } from "./routing.ts";
import { replaceSection } from "./sections.ts";
import { benchTasks } from "./tasks.ts";

const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  routing: { title: "Routing data: the fused chain against the reference chain and a copy", run: benchRouting },
  tasks: { title: "Tasks: prompts, marking, problems", run: benchTasks },
  engine: { title: "The embedded engine against Transformers", run: benchEngine },
  "llama-cpp": { title: "The embedded engine against llama.cpp", run: benchLlamaCpp },
  client: { title: "The client against lm-eval", run: benchClient },
  "main-job": { title: "The main command", run: benchMainJob },
};
const DOCUMENT = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

const flags = await yargs(hideBin(process.argv))
  .scriptName("npm run bench --")
  .usage("$0 [NAME ...]")
  .option("data", { type: "string", describe: "a folder with GSM8K's two files, for `tasks` and `client`" })
  .option("python", {
    type: "string",
    describe: "a Python with torch and transformers, for `engine` [$FUSECHECK_PYTHON]",
  })
  .option("lm-eval-python", {
    type: "string",
    describe: "a Python with lm-eval[api], for `client` [$FUSECHECK_LM_EVAL_PYTHON, --python]",
  })
  .option("llama-bench", { type: "string", describe: "llama.cpp's llama-batched-bench, for `llama-cpp`" })
  .option("gguf", { type: "string", describe: "the model as GGUF (test/live/to_gguf.py), for `llama-cpp`" })
  .option("write", { type: "boolean", default: false, describe: "also put the results into docs/benchmarks.md" })
  .epilogue(`Benchmarks: ${Object.keys(BENCHMARKS).join(", ")}. Let the machine do nothing else meanwhile.`)
  .strictOptions()
  .parseAsync();

const names = flags._.length === 0 ? Object.keys(BENCHMARKS) : flags._.map(String);
const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown !== undefined) {
  process.stderr.write(`unknown benchmark "${unknown}"; there are: ${Object.keys(BENCHMARKS).join(", ")}\n`);
  process.exit(2);
}
const python = flags.python ?? process.env["FUSECHECK_PYTHON"];
const lmEvalPython = flags.lmEvalPython ?? process.env["FUSECHECK_LM_EVAL_PYTHON"] ?? flags.python;
const options = { data: flags.data, python, lmEvalPython, llamaBench: flags.llamaBench, gguf: flags.gguf };
for (const name of names) {
  const { title, run } = BENCHMARKS[name] as Benchmark;
  const result = `${await run(options)}\n\n${await provenance(name)}\n`;
  process.stdout.write(`## ${title}\n\n${result}\n`);
  if (flags.write) writeFileSync(DOCUMENT, replaceSection(readFileSync(DOCUMENT, "utf8"), name, result));
}

/** Machine, date and command: a number without them says nothing. */
async function provenance(name: string): Promise<string> {
  const version = packageJson.dependencies["onnxruntime-node"];
  const { cpu, cores, node } = await describeEnvironment({});
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, ${cpu}, ${cores} virtual processors, Node ${node}, onnxruntime-node ${version}; \`npm run bench -- ${name}\`.`;
}
