/** Turns what a server gave into an answer, or refuses it. */
import type { Answer } from "../runner.ts";
import type { Completion, Usage } from "./completion.ts";
import { AttemptError, transient } from "./failure.ts";
import type { Redact } from "./secrets.ts";

/** The engine reached the end of what it had to say, under each server's name for it. */
const STOPPED = new Set(["stop", "eos_token", "stop_sequence", "eos", "end_turn", "tool_calls", "function_call"]);
const CUT_AT_LIMIT = new Set(["length", "max_tokens", "limit"]);

export interface Asked {
  readonly maxTokens: number;
  readonly stop: readonly string[];
}

/** @throws AttemptError for what is not an answer */
export function toAnswer(completion: Completion, { maxTokens, stop }: Asked, redact: Redact): Answer {
  const { reasoning, tokenIds, logprobs, firstTextMs } = completion;
  // A model that thought until it reached its limit has given an answer: an empty one.
  const text = completion.text ?? (reasoning === undefined ? undefined : "");
  if (text === undefined) throw transient("no-content", "the answer's content is null");
  const { promptTokens, completionTokens } = usageOf(completion);
  const kept = cutAt(text, stop);
  const reason = finish(completion.finishReason, completionTokens >= maxTokens, redact);
  return {
    text: kept,
    finishReason: kept.length < text.length ? "stop" : reason,
    promptTokens,
    completionTokens,
    ...(tokenIds !== undefined && { tokenIds }),
    ...(reasoning !== undefined && { reasoning }),
    ...(logprobs !== undefined && { logprobs }),
    ...(firstTextMs !== undefined && { firstTextMs }),
  };
}

/** The text before the first stop string: some servers keep it, know only four, or go on after it. */
function cutAt(text: string, stop: readonly string[]): string {
  const ends = stop.filter((each) => each !== "").map((each) => text.indexOf(each));
  return text.slice(0, Math.min(text.length, ...ends.filter((end) => end >= 0)));
}

function finish(reason: string | undefined, atLimit: boolean, redact: Redact): Answer["finishReason"] {
  if (reason === undefined) return atLimit ? "length" : "stop";
  if (STOPPED.has(reason)) return "stop";
  if (CUT_AT_LIMIT.has(reason)) return "length";
  const shown = JSON.stringify(redact(reason).slice(0, 50));
  throw transient("server-error", `the server gave the answer up: finish_reason ${shown}`);
}

function usageOf({ usage, tokenIds }: Completion): Usage {
  if (usage !== undefined) return usage;
  // Asking again would give none again. Counting events would be wrong: one may hold several tokens.
  const known = tokenIds === undefined ? "" : ` besides ${tokenIds.length} token ids`;
  const message = `the server does not say how many tokens it used (no usage${known})`;
  throw new AttemptError({ kind: "no-usage", message, retry: false });
}
