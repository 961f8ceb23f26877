/** What every runner offers, whatever engine stands behind it. */
import type { InvariantCount, RoutingCapture } from "../engine/requests.ts";

export type { InvariantCount } from "../engine/requests.ts";

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
}

export interface Answer {
  readonly text: string;
  /** `length`: cut at `maxTokens` or where the context ends. */
  readonly finishReason: "stop" | "length";
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The generated tokens, where the engine gives them. */
  readonly tokenIds?: readonly number[];
}

/** A prompt and a completion as the engine sees them when both are given. */
export interface ScoredSequence {
  /** Prompt and completion, as run: the last token of the completion is scored, not run. */
  readonly inputIds: readonly number[];
  /** Log-probability of each completion token. */
  readonly logprobs: Float32Array;
  readonly routing: RoutingCapture;
  readonly invariants: InvariantCount;
}

export interface Runner {
  /** Rejects when the engine gives no answer; the error's message is the reason. */
  complete(prompt: RunnerPrompt, options: AskOptions, signal: AbortSignal): Promise<Answer>;
  /** Teacher forcing with routing captured. Missing where the engine cannot do it. */
  score?(prompt: RunnerPrompt, completion: readonly number[], signal: AbortSignal): Promise<ScoredSequence>;
  close(): Promise<void>;
}
