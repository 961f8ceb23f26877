import type { ScoredSequence } from "../runner.ts";
import type { CapturedSequence } from "./captured-sequence.ts";

/**
 * What an engine that scores gives (`Runner.score`), as a capture: one way to judge parity serves all engines, and an
 * engine of either kind can be compared with one of the other.
 *
 * @param completion - the tokens that were scored; at least one
 */
export function scoredAsCaptured(scored: ScoredSequence, completion: readonly number[]): CapturedSequence {
  // The completion's last token is not among those that were run.
  const prompt = scored.inputIds.slice(0, scored.inputIds.length - completion.length + 1);
  return {
    tokens: { kind: "known", prompt, completion },
    routing: { kind: "captured", routing: scored.routing, assumedDense: [] },
    logprobs: { kind: "given", values: scored.logprobs },
  };
}
