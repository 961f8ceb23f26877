/** The results file of an lm-eval run, in its own schema and order of keys. */
import type { ExactMatchSummary } from "../metrics/exact-match.ts";
import { pythonJson } from "./python-json.ts";
import { PythonFloat, type PythonValue } from "./python-repr.ts";
import type { LmEvalTableInput, LmEvalTaskResult } from "./table.ts";

type PythonObject = { readonly [key: string]: PythonValue };

/** The lm-eval whose numbers, schema and order of keys these files have. */
const LM_EVAL_VERSION = "0.4.13.dev0";

/** Everything that one task under one variant puts into a results file. */
export interface LmEvalResultsInput {
  readonly task: string;
  readonly version: number;
  /** Exact match by filter, in the task's own order of filters. */
  readonly scores: readonly { readonly filter: string; readonly summary: ExactMatchSummary }[];
  /** The task's whole configuration, as lm-eval's yaml has it. */
  readonly taskConfig: PythonObject;
  readonly numFewshot: number;
  /** Docs in the test split. */
  readonly originalDocs: number;
  /** Docs with a completion: the denominator of every score. */
  readonly effectiveDocs: number;
  /** `--limit`; `null`: all docs. */
  readonly limit: number | null;
  readonly fewshotSeed: number;
  readonly model: {
    /** The kind of engine, where lm-eval has `local-completions`. */
    readonly source: string;
    readonly name: string;
    readonly args: PythonObject;
  };
  readonly generation: PythonObject;
  readonly concurrency: number;
  readonly device: string;
  readonly chat: boolean;
  readonly gitCommit: string | null;
  /** One line or more about the machine and the packages. */
  readonly environment: string;
  readonly started: Date;
  readonly seconds: number;
  /** From `writeSamples`; `null` when no samples were written. */
  readonly taskHash: string | null;
  /** fusecheck's version. */
  readonly fusecheck: string;
  /** What lm-eval has no place for; written under the last key, `fusecheck`. */
  readonly extra: PythonObject;
}

/** The part that the printed table shows. */
export function tableInput(
  input: Pick<LmEvalResultsInput, "task" | "version" | "scores" | "numFewshot" | "effectiveDocs">,
): LmEvalTableInput {
  const result: Record<string, number | string> = {
    name: input.task,
    alias: input.task,
    sample_len: input.effectiveDocs,
  };
  for (const { filter, summary } of input.scores) {
    if (summary.estimate.kind === "no docs") continue;
    result[`exact_match,${filter}`] = summary.estimate.mean;
    result[`exact_match_stderr,${filter}`] =
      summary.estimate.kind === "estimated" ? summary.estimate.standardError : "N/A";
  }
  return {
    results: { [input.task]: result },
    group_subtasks: {},
    versions: { [input.task]: input.version },
    "n-shot": { [input.task]: input.numFewshot },
    higher_is_better: { [input.task]: { exact_match: true } },
  };
}

/**
 * lm-eval's results object. `lm_eval_version` names the lm-eval that a reader may take it for, with fusecheck's version as
 * the local part (PEP 440), so that it still parses and compares as a version.
 */
export function buildResults(input: LmEvalResultsInput): PythonObject {
  const { task, model } = input;
  const table = tableInput(input);
  return {
    results: { [task]: floatScores(table.results[task]!) },
    group_subtasks: {},
    configs: { [task]: input.taskConfig },
    versions: { [task]: new PythonFloat(input.version) },
    "n-shot": table["n-shot"],
    higher_is_better: table.higher_is_better,
    "n-samples": { [task]: { original: input.originalDocs, effective: input.effectiveDocs } },
    config: {
      model: model.source,
      model_args: model.args,
      batch_size: input.concurrency,
      batch_sizes: [],
      device: input.device,
      use_cache: null,
      limit: input.limit === null ? null : new PythonFloat(input.limit),
      // lm-eval's default. It bootstraps other metrics only; 0 would say that there is no standard error at all.
      bootstrap_iters: 100000,
      gen_kwargs: input.generation,
      random_seed: 0,
      numpy_seed: 1234,
      torch_seed: 1234,
      fewshot_seed: input.fewshotSeed,
    },
    git_hash: input.gitCommit,
    date: new PythonFloat(input.started.getTime() / 1000),
    pretty_env_info: input.environment,
    transformers_version: "N/A",
    lm_eval_version: `${LM_EVAL_VERSION}+fusecheck.${input.fusecheck.replaceAll(/[^0-9A-Za-z]+/g, ".")}`,
    upper_git_hash: null,
    task_hashes: input.taskHash === null ? {} : { [task]: input.taskHash },
    model_source: model.source,
    model_name: model.name,
    model_name_sanitized: sanitizeModelName(model.name),
    system_instruction: null,
    system_instruction_sha: null,
    fewshot_as_multiturn: input.chat ? true : null,
    chat_template: null,
    chat_template_sha: null,
    total_evaluation_time_seconds: String(input.seconds),
    fusecheck: { version: input.fusecheck, ...input.extra },
  };
}

/** The text of the results file: two spaces of indent, no line feed at the end, as lm-eval writes it. */
export function resultsText(results: PythonObject): string {
  return pythonJson(results, 2);
}

function floatScores(result: LmEvalTaskResult): PythonObject {
  return Object.fromEntries(
    Object.entries(result).map(([key, value]) => [
      key,
      typeof value === "number" && key.includes(",") ? new PythonFloat(value) : value,
    ]),
  );
}

/** lm-eval's folder name for a model: characters that a file system or a shell takes amiss become two underscores. */
export function sanitizeModelName(name: string): string {
  return name.replaceAll(/["<>:/|\\?*[\]]+/g, "__");
}

/** lm-eval's time stamp in file names: local time, ISO 8601 with microseconds, `-` for `:`. */
export function fileTimestamp(date: Date): string {
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return `${local.toISOString().slice(0, -1).replaceAll(":", "-")}000`;
}

/** `results_<time>.json` and `samples_<task>_<time>.jsonl`, which share the time so that readers find the pair. */
export function lmEvalFileNames(task: string, date: Date): { readonly results: string; readonly samples: string } {
  const time = fileTimestamp(date);
  return { results: `results_${time}.json`, samples: `samples_${task}_${time}.jsonl` };
}
