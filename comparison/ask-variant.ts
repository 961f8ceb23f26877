/** Asks one variant every doc that its journal does not have yet. */
import type { Journal } from "../reports/journal.ts";
import { askDocs } from "../runners/ask-docs.ts";
import type { Outcome, Question } from "../runners/ask-docs.ts";
import type { InvariantCount, Runner } from "../runners/runner.ts";
import { mark } from "../tasks/index.ts";
import type { PromptedDoc, Task } from "../tasks/index.ts";
import type { ResolvedSettings } from "./settings.ts";
import { violationText } from "./violation-text.ts";

/** How far a variant has come, for whoever shows progress. */
export interface VariantProgress {
  readonly done: number;
  readonly total: number;
  readonly failed: number;
  /** Correct under the task's first filter, of the docs marked in this session. */
  readonly correct: number;
  readonly marked: number;
}

export interface AskVariantOptions {
  readonly task: Task;
  readonly settings: ResolvedSettings;
  readonly prompts: () => Iterable<PromptedDoc>;
  /** How many docs the journal has an answer of. */
  readonly completed: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: VariantProgress) => void;
}

/** @throws UserError when the journal cannot be written */
export async function askVariant(runner: Runner, journal: Journal, options: AskVariantOptions): Promise<void> {
  const { task, settings, signal, onProgress } = options;
  const tally = { done: options.completed, failed: 0, correct: 0, marked: 0 };
  const report = (): void => onProgress({ ...tally, total: settings.docs });

  function* questions(): Generator<Question<PromptedDoc>> {
    for (const doc of options.prompts()) {
      if (journal.isCompleted(doc.docId)) continue;
      yield { doc, prompt: doc.prompt, options: askOptions(settings, doc.docId) };
    }
  }
  const onOutcome = async (doc: PromptedDoc, outcome: Outcome): Promise<void> => {
    await journal.append({
      doc_id: doc.docId,
      doc_hash: doc.docHash,
      prompt_hash: doc.promptHash,
      outcome: outcome.kind === "failed" ? outcome : journalled(outcome),
    });
    tally.done += 1;
    if (outcome.kind === "failed") tally.failed += 1;
    else {
      const [first] = mark(task, outcome.answer.text, doc.target).values();
      tally.marked += 1;
      tally.correct += first?.exactMatch ?? 0;
    }
    report();
  };
  report();
  await askDocs(runner, questions(), { concurrency: settings.concurrency, signal, onOutcome });
  report();
}

function askOptions(settings: ResolvedSettings, docId: number): Question<PromptedDoc>["options"] {
  const { maxTokens, stop, temperature, seed } = settings;
  // One variant alone is not judged, so nothing of it is checked.
  const checkRouting = settings.variants.length > 1;
  return { maxTokens, stop, temperature, seed: `${seed}:${docId}`, checkRouting };
}

function journalled({ answer, ms }: Extract<Outcome, { kind: "completed" }>): {
  kind: "completed";
  text: string;
  finish_reason: "stop" | "length";
  prompt_tokens: number;
  completion_tokens: number;
  reasoning?: string;
  token_ids?: readonly number[];
  routing?: { checked: number; broken: number; first: string | null };
  ms: number;
} {
  return {
    kind: "completed",
    text: answer.text,
    finish_reason: answer.finishReason,
    prompt_tokens: answer.promptTokens,
    completion_tokens: answer.completionTokens,
    ...(answer.reasoning === undefined ? {} : { reasoning: answer.reasoning }),
    ...(answer.tokenIds === undefined ? {} : { token_ids: answer.tokenIds }),
    ...(answer.invariants && { routing: routingOf(answer.invariants) }),
    ms: Math.round(ms * 1000) / 1000,
  };
}

function routingOf({ checked, broken, violations }: InvariantCount): {
  checked: number;
  broken: number;
  first: string | null;
} {
  const [first] = violations;
  return { checked, broken, first: first === undefined ? null : violationText(first) };
}
