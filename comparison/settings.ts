/** What a run is asked to do, and what that resolves to. The one place where a run's defaults are. */
import type { JsonObject } from "../reports/json.ts";
import type { EngineIdentity, VariantName } from "../runners/variant-engines.ts";
import { DEFAULT_CONCURRENCY, DEFAULT_MARGIN_POINTS, DEFAULT_MAX_TOKENS, DEFAULT_PARITY_DOCS } from "./defaults.ts";
import { FEWSHOT_SEED, resolveNumFewshot } from "../tasks/index.ts";
import type { Task, TaskData } from "../tasks/index.ts";

export interface EvaluateSettings {
  /** Also ask the variant with fused routing, and compare. */
  readonly fused: boolean;
  readonly limit?: number;
  readonly numFewshot?: number;
  readonly seed?: number;
  readonly chat?: boolean;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly concurrency?: number;
  /** Docs whose routing is compared, the first so many. */
  readonly parityDocs?: number;
  /** Compare also what the engines say must not be compared. Default: false. */
  readonly allowDifferences?: boolean;
  /** Also ask the baseline once more, to see what two runs of it differ by. Default: false. */
  readonly noiseFloor?: boolean;
  /** Largest difference of exact match that does not matter, in points. Default: 1. */
  readonly marginPoints?: number;
  /** Ask docs in random order, and stop once the sequential test has decided. Default: false. */
  readonly untilDecided?: boolean;
}

export interface ResolvedSettings {
  readonly variants: readonly VariantName[];
  readonly docs: number;
  readonly limit: number | null;
  readonly numFewshot: number;
  readonly seed: number;
  readonly chat: boolean;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly stop: readonly string[];
  readonly concurrency: number;
  readonly parityDocs: number;
  readonly allowDifferences: boolean;
  /** As a share: 0.01 is one point. */
  readonly margin: number;
  readonly untilDecided: boolean;
}

export function resolveSettings(task: Task, data: TaskData, asked: EvaluateSettings): ResolvedSettings {
  // More docs than a task's files hold cannot be asked; generated ones never end.
  const most = data.provenance.source === "generated" ? Infinity : data.total;
  const docs = Math.min(asked.limit ?? data.total, most);
  return {
    variants: variantsOf(asked),
    docs,
    limit: asked.limit ?? null,
    numFewshot: resolveNumFewshot(task, asked.numFewshot),
    seed: asked.seed ?? FEWSHOT_SEED,
    chat: asked.chat ?? false,
    maxTokens: asked.maxTokens ?? task.generation.maxGenToks ?? DEFAULT_MAX_TOKENS,
    temperature: asked.temperature ?? task.generation.temperature ?? 0,
    stop: task.generation.until,
    concurrency: asked.concurrency ?? DEFAULT_CONCURRENCY,
    allowDifferences: asked.allowDifferences ?? false,
    untilDecided: asked.fused && (asked.untilDecided ?? false),
    margin: (asked.marginPoints ?? DEFAULT_MARGIN_POINTS) / 100,
    parityDocs: asked.fused ? Math.min(asked.parityDocs ?? DEFAULT_PARITY_DOCS, docs) : 0,
  };
}

function variantsOf({ fused, noiseFloor = false }: EvaluateSettings): VariantName[] {
  if (!fused) return ["baseline"];
  return noiseFloor ? ["baseline", "fused", "baseline-repeat"] : ["baseline", "fused"];
}

/**
 * The settings that decide what a run finds: a folder can be resumed only with the same. How many sequences run at a
 * time is not among them, because no result depends on it; nor is the margin, because the verdict can be taken anew.
 */
export function decisiveSettings(
  task: Task,
  dataFiles: readonly { readonly sha256: string }[],
  settings: ResolvedSettings,
  engine: EngineIdentity,
): JsonObject {
  return {
    task: task.name,
    task_version: task.version,
    data_sha256: dataFiles.map(({ sha256 }) => sha256),
    // Said first, in the words of the command line, of a folder that was made without `--fused`.
    fused: settings.variants.includes("fused"),
    variants: settings.variants,
    docs: settings.docs,
    num_fewshot: settings.numFewshot,
    seed: settings.seed,
    chat: settings.chat,
    max_tokens: settings.maxTokens,
    temperature: settings.temperature,
    stop: settings.stop,
    parity_docs: settings.parityDocs,
    // Folders of runs without it need not say so.
    ...(settings.untilDecided && { until_decided: true }),
    engine: engine as JsonObject,
  };
}
