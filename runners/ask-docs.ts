/** Asks many docs of one runner, a limited number at a time. Never rejects for a doc: each ends as an outcome. */
import pLimit from "p-limit";
import { EngineLostError } from "./runner.ts";
import type { AskOptions, Answer, Runner, RunnerPrompt } from "./runner.ts";

/** One doc to ask; `Doc` is whatever the caller wants back with the outcome. */
export interface Question<Doc> {
  readonly doc: Doc;
  readonly prompt: RunnerPrompt;
  readonly options: AskOptions;
}

export type Outcome =
  | { readonly kind: "completed"; readonly answer: Answer; readonly ms: number }
  | { readonly kind: "failed"; readonly reason: string };

export interface AskDocsOptions<Doc> {
  readonly concurrency: number;
  /** Once aborted, nothing more is asked, and what was cut off ends without an outcome. */
  readonly signal: AbortSignal;
  /** Called as each doc ends, in the order in which they end; a rejection ends the whole run. */
  readonly onOutcome: (doc: Doc, outcome: Outcome) => Promise<void>;
}

/**
 * Questions are taken from the iterable only as there is room for them, so that any number fits in memory.
 *
 * @throws EngineLostError, or what `onOutcome` threw, whichever came first, after the docs in flight have ended
 */
export async function askDocs<Doc>(
  runner: Runner,
  questions: Iterable<Question<Doc>>,
  { concurrency, signal, onOutcome }: AskDocsOptions<Doc>,
): Promise<void> {
  const limit = pLimit(concurrency);
  const inFlight = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (const question of questions) {
    while (limit.pendingCount > 0) await Promise.race(inFlight);
    if (signal.aborted || failure !== undefined) break;
    const asked = limit(async () => {
      const outcome = await ask(runner, question, signal);
      if (outcome !== undefined) await onOutcome(question.doc, outcome);
    })
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => inFlight.delete(asked));
    inFlight.add(asked);
  }
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure.error;
}

async function ask(
  runner: Runner,
  { prompt, options }: Question<unknown>,
  signal: AbortSignal,
): Promise<Outcome | undefined> {
  const start = performance.now();
  try {
    const answer = await runner.complete(prompt, options, signal);
    return { kind: "completed", answer, ms: performance.now() - start };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (error instanceof EngineLostError) throw error;
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}
