/** Teacher forcing on a server that says which experts it used: the tokens of prompt and completion are given to it. */
import type { CapturedSequence } from "./routed-experts/index.ts";
import type { CapturedRouting, Runner, RunnerPrompt, ScoredSequence } from "./runner.ts";

export function scoreByCapture(runner: Runner): NonNullable<Runner["score"]> {
  return async (prompt, completion, signal) => {
    const { tokens, routing, logprobs } = await capture(runner, prompt, completion, signal);
    const inputIds = tokens.kind === "known" ? [...tokens.prompt, ...tokens.completion].slice(0, -1) : [];
    const captured = routing.kind === "captured" ? (routing.routing as CapturedRouting) : undefined;
    return {
      inputIds,
      ...(logprobs.kind === "given" && { logprobs: logprobs.values }),
      ...(captured !== undefined && { routing: captured }),
      ...(routing.kind !== "captured" && { problem: { kind: routing.kind, reason: routing.reason } }),
    } satisfies ScoredSequence;
  };
}

async function capture(
  runner: Runner,
  prompt: RunnerPrompt,
  completion: readonly number[] | string,
  signal: AbortSignal,
): Promise<CapturedSequence> {
  if (runner.capture === undefined) throw new Error("this runner captures nothing");
  return runner.capture(prompt, { kind: "given", completion }, signal);
}
