/** The embedded engine and Hugging Face Transformers, side by side: same checkpoint, prompts, processor and threads. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { BenchmarkOptions } from "./benchmark.ts";
import { NEW_TOKENS, promptTokens, SEQUENCES, THREADS, timeEngine, withEngine } from "./embedded.ts";
import { markdownTable } from "./markdown-table.ts";
import { timeTransformers } from "./peers/transformers.ts";
import type { TransformersTimes } from "./peers/transformers.ts";
import { median, range, ratio, whole } from "./statistics.ts";

const REPEATS = 5;

interface Rates {
  readonly prompt: number[];
  readonly generated: number[];
}

export function benchEngine({ python }: BenchmarkOptions): Promise<string> {
  return withEngine((engine, checkpoint, folder) => compare(engine, checkpoint, python, join(folder, "prompts.jsonl")));
}

async function compare(
  engine: EmbeddedEngine,
  checkpoint: string,
  python: string | undefined,
  file: string,
): Promise<string> {
  const ours: Rates = { prompt: [], generated: [] };
  const theirs: Rates = { prompt: [], generated: [] };
  const agreement = { same: 0, sequences: 0 };
  let peer: TransformersTimes | undefined;
  // Round 0 warms up: compilers on our side, the choice of settings on theirs.
  for (let round = 0; round <= REPEATS; round++) {
    const prompts = await promptTokens(engine, round);
    const promptCount = prompts.reduce((n, prompt) => n + prompt.length, 0);
    const add = (rates: Rates, promptSeconds: number, decodeSeconds: number): void => {
      if (round === 0) return;
      rates.prompt.push(promptCount / promptSeconds);
      rates.generated.push((SEQUENCES * NEW_TOKENS) / decodeSeconds);
    };
    const { promptSeconds, decodeSeconds, tokens } = await timeEngine(engine, prompts);
    add(ours, promptSeconds, decodeSeconds);
    if (python === undefined) continue;
    writeFileSync(file, prompts.map((prompt) => `${JSON.stringify(prompt)}\n`).join(""));
    const job = { python, checkpoint, prompts: file, newTokens: NEW_TOKENS, threads: THREADS };
    peer = await timeTransformers({ ...job, best: peer });
    add(theirs, peer.prompt_seconds, peer.decode_seconds);
    agreement.sequences += SEQUENCES;
    agreement.same += tokens.filter((own, i) => own.every((id, at) => id === peer?.tokens[i]?.[at])).length;
  }
  const name = peer === undefined ? "Transformers" : `Transformers ${peer.transformers}, torch ${peer.torch}`;
  const missing = "not measured: needs a Python with torch and transformers, `-- engine --python PATH`";
  const row = (what: string, own: readonly number[], other: readonly number[]): string[] => [
    what,
    `${whole(median(own))} (${range(own, whole)})`,
    ...(peer === undefined ? [missing, "-"] : [`${whole(median(other))} (${range(other, whole)})`, ratio(own, other)]),
  ];
  const rows = [
    row("prompt tokens/s", ours.prompt, theirs.prompt),
    row("generated tokens/s", ours.generated, theirs.generated),
  ];
  const notes = [
    `${SEQUENCES} sequences of gsm_synth's 3-shot prompts, ${NEW_TOKENS} new tokens each (end-of-text switched off), greedy, float32, ` +
      `${THREADS} threads. Median (range) of ${REPEATS} rounds in turns, new prompts in each, after one to warm up; the ratio is the median of the rounds' own.`,
  ];
  if (peer !== undefined) {
    const batch = peer.prompt_batch === "one" ? "one prompt at a time (no padding)" : "all prompts as one padded batch";
    notes.push(
      `Transformers with sdpa attention, glibc told to keep its memory (faster), and the fastest of its settings: experts ${peer.experts.replace(",", " for prompts, ")} for decoding; ${batch}. ` +
        `Greedy texts equal to the last token: ${agreement.same} of ${agreement.sequences}.`,
    );
  }
  return [markdownTable(["", "fusecheck's engine", name, "ratio"], rows), "", ...notes].join("\n");
}
