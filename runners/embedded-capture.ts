/** Captures from the embedded engine: which experts the tokens of one sequence used, with all that the engine knows of it. */
import type { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { RoutingCapture } from "../engine/requests.ts";
import { UserError } from "../errors.ts";
import type { CapturedSequence, CaptureRequest } from "./routed-experts/captured-sequence.ts";

/**
 * Runs a prompt and its completion: one that the engine makes up, greedily, or one that it is given, which it then runs
 * token by token as if it were its own.
 *
 * @throws UserError for a token that the model does not have, or a sequence that does not fit its context
 */
export async function captureEmbedded(
  engine: EmbeddedEngine,
  prompt: readonly number[],
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<CapturedSequence> {
  const { vocabSize } = engine.config;
  const given = request.kind === "given" ? tokensOf(engine, request.completion) : [];
  const unknown = [...prompt, ...given].find((id) => id >= vocabSize);
  if (unknown !== undefined) throw new UserError(`the model has tokens 0 to ${vocabSize - 1}, and none ${unknown}`);
  if (request.kind === "given") {
    if (given.length === 0) throw new RangeError("a completion without tokens cannot be given");
    if (prompt.length === 0) throw new UserError("the prompt is empty");
    const scored = await engine.score({ tokens: [...prompt, ...given], decodeFrom: prompt.length - 1 }, signal);
    const logprobs = scored.logprobs.subarray(prompt.length - 1);
    return captured(prompt, given, { ...scored, logprobs });
  }
  const { maxTokens, stop } = request;
  const asked = { prompt, maxTokens, stop, temperature: 0, seed: "capture", logprobs: true };
  const { tokenIds, logprobs, routing, invariants } = await engine.complete(
    { ...asked, routing: true, checkRouting: true },
    signal,
  );
  if (routing === undefined || invariants === undefined) throw new Error("the engine gave no routing");
  return captured(prompt, tokenIds, { logprobs: Float32Array.from(logprobs ?? []), routing, invariants });
}

function tokensOf({ tokenizer }: EmbeddedEngine, completion: readonly number[] | string): readonly number[] {
  return typeof completion === "string" ? tokenizer.encode(completion) : completion;
}

function captured(
  prompt: readonly number[],
  completion: readonly number[],
  {
    logprobs,
    routing,
    invariants,
  }: Pick<Required<CapturedSequence>, "invariants"> & {
    readonly logprobs: Float32Array;
    readonly routing: RoutingCapture;
  },
): CapturedSequence {
  return {
    tokens: { kind: "known", prompt, completion },
    routing: { kind: "captured", routing, assumedDense: [] },
    logprobs: { kind: "given", values: logprobs },
    invariants,
  };
}
