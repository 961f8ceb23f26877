/** Runs of `gsm_synth` against the replay server, which answers every second doc right, whoever asks. */
import type { Comparison } from "../../reports/comparison.ts";
import { buildPrompts, getTask } from "../../tasks/index.ts";

/** What the server says to each prompt: a right answer or a wrong one, by doc. */
export async function solutions(docs: number): Promise<ReadonlyMap<string, string>> {
  const task = getTask("gsm_synth");
  const prompts = buildPrompts(task, await task.load({}), { numFewshot: 0, limit: docs });
  return new Map(
    [...prompts].map(({ prompt, docId, target }) => {
      const answer = /#### (.*)$/.exec(target)?.[1] ?? target;
      const text = prompt.kind === "completion" ? prompt.text : "";
      return [text, ` It comes to that.\n#### ${docId % 2 === 0 ? answer : "no more than 3"}`];
    }),
  );
}

export function completeFrom(known: ReadonlyMap<string, string>): (prompt: string) => string {
  return (prompt) => known.get(prompt) ?? "";
}

/** Of a comparison all that two runs of the same must share: neither times nor addresses. */
export function findings({ task, settings, variants, paired, flips, parity, logprobs, verdict }: Comparison): unknown {
  const timeless = variants.map(({ name, table, counts, truncated, promptTokens, generatedTokens, failures }) => {
    return { name, table, counts, truncated, promptTokens, generatedTokens, failures };
  });
  return { task, settings, variants: timeless, paired, flips, parity, logprobs, verdict };
}

/** Whether an answer was asked for: log-probabilities are asked for later, of some docs again. */
export function isTimed({ body }: { readonly body: Readonly<Record<string, unknown>> }): boolean {
  return ["logprobs", "echo", "prompt_logprobs"].every((name) => body[name] === undefined);
}
