/** lm-eval without a network: its own gsm8k, with the data from a folder. */
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export interface LmEvalJob {
  readonly python: string;
  /** A folder with `train.jsonl` and `test.jsonl`. */
  readonly data: string;
  /** `http://127.0.0.1:8000/v1` */
  readonly baseUrl: string;
  readonly model: string;
  readonly numFewshot: number;
  readonly limit: number;
  readonly concurrency: number;
  /** A folder for its task, results and samples. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The fields of its rows, one per doc and filter, that are compared. */
export interface LmEvalSample {
  readonly doc_id: number;
  readonly filter: string;
  readonly doc_hash: string;
  readonly prompt_hash: string;
  readonly target_hash: string;
  readonly resps: readonly (readonly string[])[];
  readonly filtered_resps: readonly string[];
  readonly exact_match: number;
}

export interface LmEvalRun {
  readonly version: string;
  readonly samples: readonly LmEvalSample[];
  /** What it printed. */
  readonly stdout: string;
}

const SCRIPT = fileURLToPath(new URL("lm_eval_peer.py", import.meta.url));
const MAX_OUTPUT_BYTES = 2 ** 26;
/** Its task keeps its name: what stands in a folder given to it wins over its own. */
const TASK = "gsm8k";
const FIND = "import lm_eval, os; print(os.path.dirname(lm_eval.__file__), lm_eval.__version__)";

export async function runLmEval(job: LmEvalJob): Promise<LmEvalRun> {
  const run = promisify(execFile);
  const [home = "", version = ""] = (await run(job.python, ["-c", FIND])).stdout.trim().split(" ");
  const tasks = join(job.folder, "tasks");
  const output = join(job.folder, "output");
  mkdirSync(tasks, { recursive: true });
  const own = readFileSync(join(home, "tasks/gsm8k/gsm8k.yaml"), "utf8");
  writeFileSync(join(tasks, `${TASK}.yaml`), withLocalData(own, job.data));
  const model = `base_url=${job.baseUrl}/completions,model=${job.model},num_concurrent=${job.concurrency}`;
  const args = [SCRIPT, "run", "--model", "local-completions", "--tasks", TASK, "--include_path", tasks];
  // Its cheapest way: text is sent as it is, and no tokenizer loaded.
  args.push("--model_args", `${model},tokenized_requests=False,tokenizer_backend=None`);
  args.push("--num_fewshot", String(job.numFewshot), "--limit", String(job.limit));
  args.push("--output_path", output, "--log_samples");
  const env = { ...process.env, HF_HUB_OFFLINE: "1", HF_DATASETS_OFFLINE: "1", ...job.env };
  const { stdout } = await run(job.python, args, { env, maxBuffer: MAX_OUTPUT_BYTES });
  return { version, samples: samplesIn(output), stdout };
}

function withLocalData(yaml: string, data: string): string {
  const folder = resolve(data);
  const local = [
    "dataset_path: json",
    "dataset_kwargs:",
    "  data_files:",
    ...["train", "test"].map((split) => `    ${split}: ${JSON.stringify(join(folder, `${split}.jsonl`))}`),
  ].join("\n");
  const changed = yaml.replace(/^dataset_path: .*\ndataset_name: .*$/m, local);
  if (changed === yaml) throw new Error("lm-eval's gsm8k.yaml does not say its dataset in the way that is known");
  return changed;
}

function samplesIn(folder: string): LmEvalSample[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const [file] = files
    .filter((name) => /samples_.*\.jsonl$/.test(name))
    .toSorted()
    .slice(-1);
  if (file === undefined) throw new Error(`lm-eval left no samples in ${folder}`);
  const lines = readFileSync(join(folder, file), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as LmEvalSample);
}
