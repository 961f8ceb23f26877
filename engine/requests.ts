/** What can be asked of the engine, and what comes back. Everything here crosses a thread boundary as it stands. */
import type { Violation } from "./routing/violations.ts";

export interface CompletionRequest {
  /** Token ids; at least one, and fewer than the context holds. */
  readonly prompt: readonly number[];
  /** Most tokens to generate. Generation also ends where the model's context does. */
  readonly maxTokens: number;
  /** Generation ends before the first of these texts; it is not part of the result. */
  readonly stop: readonly string[];
  /** 0 takes the likeliest token, the lowest id of equals. */
  readonly temperature: number;
  /** Seeds the draws of this request alone, so that a result does not depend on what else is running. */
  readonly seed: string;
  /** Return the log-probability of each generated token, before temperature. */
  readonly logprobs: boolean;
}

export interface Completion {
  readonly text: string;
  /** As generated: an end-of-text token or a stop text may be the last. */
  readonly tokenIds: readonly number[];
  /** `stop`: end-of-text or a stop text; `length`: cut at `maxTokens` or at the end of the context. */
  readonly finishReason: "stop" | "length";
  readonly logprobs?: readonly number[];
  /** Prompt tokens whose keys and values another sequence of the same prefix had computed already. */
  readonly cachedPromptTokens: number;
}

/** Teacher forcing: what the model thinks of a token sequence that is given. */
export interface ScoreRequest {
  /** At least two tokens. The last one is scored but not run: nothing follows from it. */
  readonly tokens: readonly number[];
}

export interface Score {
  /** [T-1] natural-log probability of token i+1 after tokens 0..i. */
  readonly logprobs: Float32Array;
  readonly routing: RoutingCapture;
  readonly invariants: InvariantCount;
}

/** Which experts, with which weights, each token used in each MoE layer. Layer-major: [L, T, K]. */
export interface RoutingCapture {
  /** Model layer of each of the L MoE layers. */
  readonly layers: readonly number[];
  readonly nTokens: number;
  /** K */
  readonly nExpertsAct: number;
  /** E */
  readonly nExpertsTot: number;
  readonly topkIds: Uint16Array;
  readonly topkWeights: Float32Array;
  /** [L, T] router margins: how far the worst expert chosen scored above the best one left out. */
  readonly margins: Float32Array;
}

/** Routing data against its invariants, over all forward passes of a request. */
export interface InvariantCount {
  readonly checked: number;
  readonly broken: number;
  /** The first few of the broken ones. */
  readonly violations: readonly (Violation & { readonly layer: number })[];
}
