/** What the conformance suite needs to know of a runner to hold it to what every runner must do. */
import type { Runner, RunnerPrompt } from "../../runners/runner.ts";

/** What every runner must do, by the name of its test. */
export const DUTIES = [
  "completes a prompt, and says why it ended and what it took",
  "gives the same answer to the same prompt, alone or among others",
  "stops at max_tokens and says so",
  "ends before a stop string, which is no part of the text",
  "knows any number of stop strings",
  "counts the prompt's tokens: more for a longer prompt",
  "names the tokens that it generated",
  "samples the same for the same seed, and something else for another",
  "leaves a request that is aborted, with the reason, and goes on",
  "starts nothing for a signal that was aborted before",
  "rejects, with a reason, what the engine refuses, and goes on",
  "is given a prompt and a completion, and says how likely each token was and where it was routed",
  "can be closed again and again, and answers no more",
] as const;

export type Duty = (typeof DUTIES)[number];

export interface Subject {
  readonly name: string;
  /** Opened anew for each test that ends it, else shared. */
  readonly open: () => Promise<Runner>;
  readonly close: () => Promise<void>;
  /** A prompt that says this, as completion or as chat. */
  readonly prompt: (text: string) => RunnerPrompt;
  /** A prompt that this engine refuses, and its words for it. */
  readonly refused: { readonly prompt: RunnerPrompt; readonly reason: RegExp };
  /** Slow enough to be aborted while it runs: so many tokens are asked for. */
  readonly longTokens: number;
  /** What it is known not to do, and why. */
  readonly differs: Readonly<Partial<Record<Duty, string>>>;
}
