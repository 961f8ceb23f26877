/** A prompt and its completion as a server ran them, with all that parity can be judged by. */
import type { InvariantCount } from "../../engine/requests.ts";
import type { CaptureResult } from "./capture-result.ts";

export type SequenceTokens =
  | { readonly kind: "known"; readonly prompt: readonly number[]; readonly completion: readonly number[] }
  | { readonly kind: "unknown"; readonly reason: string };

export type SequenceLogprobs =
  /** Of each completion token, given all before it. */
  { readonly kind: "given"; readonly values: Float32Array } | { readonly kind: "absent"; readonly reason: string };

export interface CapturedSequence {
  readonly tokens: SequenceTokens;
  /** Where captured: a row for each token but the last, which is never run. */
  readonly routing: CaptureResult;
  readonly logprobs: SequenceLogprobs;
  /** Where the engine's routing data can be seen. */
  readonly invariants?: InvariantCount;
}

export type CaptureRequest =
  /**
   * Both variants are given the same tokens, so that every row can be compared. Servers run all of them as a prompt: what
   * a kernel does for one token at a time is not seen. The embedded engine runs the completion token by token.
   */
  | {
      readonly kind: "given";
      /** Token ids, at least one; or a text, of which the server is asked what tokens it makes of it. */
      readonly completion: readonly number[] | string;
      /** The prompt's, where another capture has said them. Default: the server is asked for them. Not with a text. */
      readonly promptIds?: readonly number[];
    }
  /**
   * The engine completes the prompt anew, greedily, as it does in its daily work. Two variants can be compared as far as
   * they say the same.
   */
  | {
      readonly kind: "generated";
      readonly maxTokens: number;
      readonly stop: readonly string[];
      /** The prompt as token ids, in place of its text. */
      readonly promptIds?: readonly number[];
    };
