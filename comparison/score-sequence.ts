/** Asks an engine about one sequence that both variants are given, in the way that it can. */
import { EngineError } from "../errors.ts";
import { CaptureStore } from "../runners/capture-store.ts";
import { EngineLostError } from "../runners/runner.ts";
import type { CapturedRouting, Runner } from "../runners/runner.ts";
import type { PromptedDoc } from "../tasks/index.ts";
import type { ScoredRow } from "./scored-journal.ts";

/** A sequence that both variants are given: a prompt and what the baseline answered. */
export interface Sequence {
  readonly doc: PromptedDoc;
  readonly text: string;
  /** The completion's tokens, where the engine has said which. */
  readonly completion?: readonly number[];
}

/** How answers are asked for. */
export interface Generation {
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

export interface Scored {
  readonly row: ScoredRow;
  /** What goes into the capture, with the tokens that were run. */
  readonly capture?: { readonly inputIds: readonly number[]; readonly routing: CapturedRouting };
}

/** Rejects where the engine gives nothing, which the next session asks for again. */
export type Scorer = (sequence: Sequence, signal: AbortSignal) => Promise<Scored>;

/** Undefined where the engine can do neither. */
export function scorerOf(runner: Runner, generation: Generation): Scorer | undefined {
  if (has(runner, "score")) return withRouting(runner);
  return has(runner, "logprobs") ? logprobsOnly(runner, generation) : undefined;
}

type Having<Name extends keyof Runner> = Runner & Required<Pick<Runner, Name>>;

function has<Name extends keyof Runner>(runner: Runner, name: Name): runner is Having<Name> {
  return runner[name] !== undefined;
}

function withRouting(runner: Having<"score">): Scorer {
  return async ({ doc, completion, text }, signal) => {
    const scored = await runner.score(doc.prompt, completion ?? text, signal);
    const { inputIds, routing, logprobs, invariants, problem } = scored;
    return {
      row: {
        doc_id: doc.docId,
        tokens: inputIds.length,
        shape: routing === undefined ? null : CaptureStore.shapeOf(routing),
        ...(routing?.close !== undefined && { close_rows: routing.close.rows.length }),
        logprobs: logprobs === undefined ? null : [...logprobs],
        invariants: invariants ?? null,
        problem: problem ?? null,
      },
      ...(routing !== undefined && { capture: { inputIds, routing } }),
    };
  };
}

function logprobsOnly(runner: Having<"logprobs">, generation: Generation): Scorer {
  return async ({ doc, text }, signal) => {
    const bare = { doc_id: doc.docId, tokens: 0, shape: null, invariants: null, problem: null };
    const none = (reason: string): Scored => ({ row: { ...bare, logprobs: null, way: null, reason } });
    if (text === "") return none("the baseline's answer is empty");
    try {
      const found = await runner.logprobs(doc.prompt, { completion: text, ...generation }, signal);
      if (found.kind === "absent") return none(found.reason);
      const { way, tokens, logprobs } = found;
      return { row: { ...bare, tokens: tokens.length, logprobs, way, token_names: tokens } };
    } catch (error) {
      // Nobody has asked for them: a doc without is said, and keeps no run from being complete.
      if (signal.aborted || !(error instanceof EngineError) || error instanceof EngineLostError) throw error;
      return none(error.message);
    }
  };
}
