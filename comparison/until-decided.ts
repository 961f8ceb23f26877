/** Asks docs in random order, batch by batch, until the sequential test has decided (docs/statistics.md). */
import seedrandom from "seedrandom";
import { SequentialPairs } from "../metrics/sequential.ts";
import type { Journal } from "../reports/journal.ts";
import type { VariantName } from "../runners/variant-engines.ts";
import { mark } from "../tasks/index.ts";
import type { PromptedDoc, Task } from "../tasks/index.ts";

/**
 * Docs between two looks. Always the same, so that a run ends at the same doc whatever its concurrency, and resumed or
 * not; as many as are asked at a time by default, so that no lane idles for want of docs.
 */
export const DOCS_PER_LOOK: number = 64;

export interface UntilDecidedOptions {
  readonly task: Task;
  readonly prompts: Iterable<PromptedDoc>;
  /** Whether the prompts come in an order of the data's own; generated ones are random as they come. */
  readonly shuffle: boolean;
  readonly seed: number;
  /** As a share. */
  readonly margin: number;
  readonly journals: ReadonlyMap<VariantName, Journal>;
  /** Asks all variants such of these docs as have no answer yet. */
  readonly ask: (docs: readonly PromptedDoc[]) => Promise<void>;
}

/** @returns whether it was decided; else all docs were asked */
export async function askUntilDecided(options: UntilDecidedOptions): Promise<boolean> {
  const { task, prompts, shuffle, seed, margin, ask } = options;
  const pairs = new SequentialPairs(task.filters.length, { margin });
  for (const docs of batches(shuffle ? shuffled(prompts, seed) : prompts, DOCS_PER_LOOK)) {
    await ask(docs);
    for (const doc of docs) await addPair(pairs, doc, options);
    if (pairs.decision() !== "inconclusive") return true;
  }
  return false;
}

/** A doc that failed in either variant is in no pair. */
async function addPair(
  pairs: SequentialPairs,
  { docId, target }: PromptedDoc,
  { task, journals }: UntilDecidedOptions,
): Promise<void> {
  const marks: (0 | 1)[][] = [];
  for (const variant of ["baseline", "fused"] as const) {
    const outcome = (await journals.get(variant)?.read(docId))?.outcome;
    if (outcome?.kind !== "completed") return;
    const marked = mark(task, outcome.text, target);
    marks.push(task.filters.map(({ name }) => marked.get(name)?.exactMatch ?? 0));
  }
  const [baseline, fused] = marks as [(0 | 1)[], (0 | 1)[]];
  pairs.add(baseline, fused);
}

function shuffled<T>(items: Iterable<T>, seed: number): T[] {
  const uniform = seedrandom(`order ${seed}`);
  const all = [...items];
  for (let last = all.length - 1; last > 0; last--) {
    const other = Math.floor(uniform() * (last + 1));
    [all[last], all[other]] = [all[other] as T, all[last] as T];
  }
  return all;
}

function* batches<T>(items: Iterable<T>, size: number): Generator<readonly T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
