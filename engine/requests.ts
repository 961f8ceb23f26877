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
  /** Return so many of the likeliest tokens for each generated one, likeliest first. Default 0. */
  readonly topLogprobs?: number;
  /** Go on after an end-of-text token. Default false. */
  readonly ignoreEos?: boolean;
  /**
   * Return which experts each token was routed to, as it was when this request ran. Nothing of the prompt is then taken
   * over from another sequence's cache. Default false.
   */
  readonly routing?: boolean;
  /** Hold the routing data of every decode step of this request to their invariants. Default false. */
  readonly checkRouting?: boolean;
}

/** One candidate for a token, and the natural logarithm of its probability. */
export interface TokenLogprob {
  readonly tokenId: number;
  readonly logprob: number;
}

/** One more token of a completion that is still being generated. The last token comes with the completion alone. */
export interface CompletionProgress {
  readonly tokenId: number;
  /**
   * Text that is now certain: whole characters, and nothing that a stop text could still take away. All of it together
   * is the beginning of the completion's text.
   */
  readonly text: string;
  readonly logprob?: number;
  readonly topLogprobs?: readonly TokenLogprob[];
}

export interface Completion {
  readonly text: string;
  /** As generated: an end-of-text token or a stop text may be the last. */
  readonly tokenIds: readonly number[];
  /** `stop`: end-of-text or a stop text; `length`: cut at `maxTokens` or at the end of the context. */
  readonly finishReason: "stop" | "length";
  readonly logprobs?: readonly number[];
  readonly topLogprobs?: readonly (readonly TokenLogprob[])[];
  /** Of the prompt and all generated tokens but the last, which is not run. */
  readonly routing?: RoutingCapture;
  /** Of every decode step, where it was asked for. */
  readonly invariants?: InvariantCount;
  /** Prompt tokens whose keys and values another sequence of the same prefix had computed already. */
  readonly cachedPromptTokens: number;
}

/** Teacher forcing: what the model thinks of a token sequence that is given. */
export interface ScoreRequest {
  /** At least two tokens. The last one is scored but not run: nothing follows from it. */
  readonly tokens: readonly number[];
  /**
   * The first token that is run by itself, as generated ones are, together with the next tokens of whatever else runs: a
   * kernel that errs on few tokens only shows there. Default: all of them are run as a prompt.
   */
  readonly decodeFrom?: number;
  /** Return so many of the likeliest tokens at each position, likeliest first. Default 0. */
  readonly topLogprobs?: number;
  /** Return what the MoE layers give out and the logits, which are large. Only with `decodeFrom`. Default false. */
  readonly outputs?: boolean;
}

/** What two variants can be compared by besides their routing. */
export interface ScoreOutputs {
  /** Model layer of each of the L MoE layers. */
  readonly layers: readonly number[];
  /** H */
  readonly hiddenSize: number;
  /** [L][T * H] the residual stream after each MoE layer, for every token that was run. */
  readonly values: readonly Float32Array[];
  /** V */
  readonly vocabSize: number;
  /** [tokens run by themselves * V] */
  readonly logits: Float32Array;
}

export interface Score {
  /** [T-1] natural-log probability of token i+1 after tokens 0..i. */
  readonly logprobs: Float32Array;
  /** [T-1]; a token that is among them has the very number that `logprobs` has. */
  readonly topLogprobs?: readonly (readonly TokenLogprob[])[];
  readonly routing: RoutingCapture;
  readonly invariants: InvariantCount;
  /** Where they were asked for. */
  readonly outputs?: ScoreOutputs;
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
  readonly close: CloseChoices;
}

/** Choices by a margin of at most `CLOSE_MARGIN`, with all scores, so that it can be told which others are as right. */
export interface CloseChoices {
  /** Where they stand among the margins, ascending. */
  readonly rows: Int32Array;
  /** [rows, E] scores with their correction bias. */
  readonly scores: Float32Array;
  readonly rule: {
    readonly nGroup: number;
    readonly topkGroup: number;
    /** What a group is ranked by: its best score, or the sum of its best two. */
    readonly groupScore: "best" | "best two";
  };
}

/** Routing data against its invariants, over the forward passes of a request. */
export interface InvariantCount {
  /** Entries (a token's expert) whose place, bucket and weight were checked: tokens run * MoE layers * K. */
  readonly checked: number;
  readonly broken: number;
  /** The first few of the broken ones. */
  readonly violations: readonly (Violation & { readonly layer: number })[];
}
