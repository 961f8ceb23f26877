/** One row of a night: the run, and re-runs where it was inconclusive. */
import { join } from "node:path";
import { evaluate, InterruptedError } from "../comparison/evaluate.ts";
import type { Progress } from "../comparison/progress.ts";
import type { EvaluateSettings } from "../comparison/settings.ts";
import { judgeRouting } from "../comparison/verdict.ts";
import { EngineError, UserError } from "../errors.ts";
import type { Comparison } from "../reports/comparison.ts";
import { readHistoryRun } from "../reports/history/read-run.ts";
import type { JsonObject } from "../reports/json.ts";
import { FEWSHOT_SEED, getTask } from "../tasks/index.ts";
import type { NightlyRow } from "./config.ts";
import { decide, worst } from "./decide.ts";
import { judgeRow } from "./judge-row.ts";
import { enginesOf } from "./row-engines.ts";
import type { RowResult } from "./summary.ts";

export interface RunRowOptions {
  /** The night's folder. */
  readonly folder: string;
  readonly night: string;
  /** The command line that runs the night again. */
  readonly command: string;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** @throws InterruptedError; whatever else is wrong with a row is its result, and the others go on */
export async function runRow(row: NightlyRow, options: RunRowOptions): Promise<RowResult> {
  const start = performance.now();
  const looks = 1 + (row.rerun_inconclusive?.times ?? 0);
  const margin = (row.margin ?? 0) / 100;
  const folders = [row.name];
  const seconds = (): number => Math.round(performance.now() - start) / 1000;
  try {
    const first = await ask(row, row.name, row.seed, options);
    const runs: [Comparison, ...Comparison[]] = [first];
    const undecided = (): boolean =>
      row.margin !== undefined && row.fused && worst(decide(runs, { margin, looks })) === "inconclusive";
    while (runs.length < looks && runs.every(isFitToJudge) && undecided()) {
      const folder = `${row.name}.rerun-${runs.length}`;
      options.progress.note(`inconclusive: asked again (${runs.length} of ${looks - 1})`);
      folders.push(folder);
      runs.push(await ask(row, folder, rerunSeed(row.seed, runs.length), options));
    }
    const decisions = row.margin !== undefined && row.fused ? decide(runs, { margin, looks }) : [];
    const run = await readHistoryRun(join(options.folder, row.name), {
      name: row.name,
      night: options.night,
      facts: factsOf(row),
    });
    const relative = { ...run, folder: row.name };
    return { name: row.name, ...judgeRow(row, runs, decisions), decisions, folders, seconds: seconds(), run: relative };
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    const reasons = [whyFailed(error)];
    return { name: row.name, outcome: "failed", reasons, decisions: [], folders, seconds: seconds(), run: null };
  }
}

/** A re-run of what is broken or has gaps would decide nothing. */
function isFitToJudge({ verdict, parity }: Comparison): boolean {
  return verdict.complete && judgeRouting(parity).length === 0;
}

/** Far enough from a neighbour that a user may have chosen for another row. */
const SEED_STEP = 7919;

function rerunSeed(seed: number | undefined, rerun: number): number {
  return (seed ?? FEWSHOT_SEED) + SEED_STEP * rerun;
}

async function ask(
  row: NightlyRow,
  folder: string,
  seed: number | undefined,
  { folder: parent, command, signal, progress }: RunRowOptions,
): Promise<Comparison> {
  const task = getTask(row.task);
  const data = await task.load({ ...(row.data !== undefined && { dir: row.data }) });
  const { comparison } = await evaluate({
    task,
    data,
    settings: settingsOf(row, seed),
    engines: enginesOf(row),
    output: join(parent, folder),
    asked: JSON.parse(JSON.stringify(row)) as JsonObject,
    command,
    signal,
    progress,
  });
  return comparison;
}

function settingsOf(row: NightlyRow, seed: number | undefined): EvaluateSettings {
  const {
    limit,
    num_fewshot: numFewshot,
    max_tokens: maxTokens,
    temperature,
    concurrency,
    parity_docs: parityDocs,
  } = row;
  return {
    fused: row.fused,
    chat: row.api === "chat",
    allowDifferences: row.allow_differences ?? false,
    ...(limit !== undefined && { limit }),
    ...(numFewshot !== undefined && { numFewshot }),
    ...(seed !== undefined && { seed }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(temperature !== undefined && { temperature }),
    ...(concurrency !== undefined && { concurrency }),
    ...(parityDocs !== undefined && { parityDocs }),
  };
}

function factsOf({ facts = {}, facts_env: fromEnv = {} }: NightlyRow): JsonObject {
  const read = Object.entries(fromEnv).map(([name, variable]) => [name, process.env[variable] ?? null] as const);
  return { ...facts, ...Object.fromEntries(read) };
}

function whyFailed(error: unknown): string {
  if (error instanceof UserError || error instanceof EngineError) return error.message;
  // A defect of fusecheck: whoever reports it needs the stack. The other rows go on all the same.
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
