/** What every runner offers, whatever engine stands behind it. */
import { EngineError } from "../errors.ts";
import type { InvariantCount, RoutingCapture, ScoreOutputs } from "../engine/requests.ts";
import type { CapturedSequence, CaptureRequest } from "./routed-experts/captured-sequence.ts";

export type { InvariantCount, ScoreOutputs } from "../engine/requests.ts";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export type RunnerPrompt =
  | { readonly kind: "completion"; readonly text: string }
  | { readonly kind: "chat"; readonly messages: readonly Message[] };

export interface AskOptions {
  readonly maxTokens: number;
  readonly stop: readonly string[];
  readonly temperature: number;
  /** Seeds this request's draws. */
  readonly seed: string;
  /** Hold the routing data that the answer comes from to their invariants, where the engine shows them. Default false. */
  readonly checkRouting?: boolean;
}

export interface Answer {
  readonly text: string;
  /** `length`: cut at `maxTokens` or where the context ends. */
  readonly finishReason: "stop" | "length";
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The generated tokens, where the engine gives them. */
  readonly tokenIds?: readonly number[];
  /** What a reasoning model said before its answer; never part of `text`. */
  readonly reasoning?: string;
  /** Log-probability of each generated token, where asked for and given. */
  readonly logprobs?: readonly number[];
  /** Where it was asked for and the routing data can be seen. */
  readonly invariants?: InvariantCount;
  /** Milliseconds from sending the request to its first text, where the answer was streamed. */
  readonly firstTextMs?: number;
}

/** The engine is gone: nothing more can be asked of it. Ends a run, which can be resumed; no doc is marked as failed. */
export class EngineLostError extends EngineError {
  override name = "EngineLostError";
}

/** A prompt and a completion as the engine sees them when both are given. */
export interface ScoredSequence {
  /** Prompt and completion, as run: the last token of the completion is scored, not run. */
  readonly inputIds: readonly number[];
  /** Log-probability of each completion token, where the engine gives them. */
  readonly logprobs?: Float32Array;
  readonly routing?: CapturedRouting;
  /** Where the engine's routing data can be seen. */
  readonly invariants?: InvariantCount;
  /** Why there is no routing: the engine gives none, or what it gave is none. */
  readonly problem?: RoutingProblem;
}

export interface RoutingProblem {
  readonly kind: "absent" | "broken";
  readonly reason: string;
}

/** What was routed; servers give less than the embedded engine does. */
export type CapturedRouting = Omit<RoutingCapture, "topkWeights" | "margins" | "close"> &
  Partial<Pick<RoutingCapture, "topkWeights" | "margins" | "close">>;

/** What log-probabilities are asked of, where the engine shows no routing. */
export interface LogprobRequest {
  /** What the baseline answered: given to both variants, where the engine takes it. */
  readonly completion: string;
  /** As the answers were asked for: where it does not, each variant completes the prompt anew. */
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

/**
 * `given text`: of the completion that was given as text. `generated`: of the engine's own greedy completion, so that two
 * variants can be compared as far as they say the same.
 */
export type LogprobWay = "given text" | "generated";

export type TokenLogprobs =
  | {
      readonly kind: "given";
      readonly way: LogprobWay;
      /** The completion's tokens, as the engine writes them: what two variants are aligned by. */
      readonly tokens: readonly string[];
      /** Of each of them. Null where the engine gives no finite number. */
      readonly logprobs: readonly (number | null)[];
    }
  | { readonly kind: "absent"; readonly reason: string };

export interface Runner {
  /** Rejects when the engine gives no answer; the error's message is the reason. `EngineLostError` ends the run. */
  complete(prompt: RunnerPrompt, options: AskOptions, signal: AbortSignal): Promise<Answer>;
  /**
   * Teacher forcing, with what the engine shows of it: of token ids, or of a text where these are not known. Missing where
   * the engine cannot do it.
   */
  score?(prompt: RunnerPrompt, completion: readonly number[] | string, signal: AbortSignal): Promise<ScoredSequence>;
  /**
   * Log-probabilities without routing: never inside timed work. Resolves with why there are none, too; rejects as
   * `complete` does.
   */
  logprobs?(prompt: RunnerPrompt, request: LogprobRequest, signal: AbortSignal): Promise<TokenLogprobs>;
  /**
   * Asks for a prompt again, for its routing: never inside timed work. Resolves with what was wrong, too, as far as the
   * capture itself is concerned; rejects as `complete` does. Missing where the engine does not say whom it routed to.
   */
  capture?(prompt: RunnerPrompt, request: CaptureRequest, signal: AbortSignal): Promise<CapturedSequence>;
  /**
   * Teacher forcing once more, for what the layers give out and all logits: megabytes for each sequence. Missing where the
   * engine does not show them.
   */
  outputs?(prompt: RunnerPrompt, completion: readonly number[], signal: AbortSignal): Promise<SequenceOutputs>;
  close(): Promise<void>;
}

export interface SequenceOutputs extends ScoreOutputs {
  readonly promptTokens: number;
  /** [L, T, K], of the same layers and tokens. */
  readonly topkIds: Uint16Array;
  /** K */
  readonly nExpertsAct: number;
}
