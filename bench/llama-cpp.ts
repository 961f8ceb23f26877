/** The embedded engine and llama.cpp, side by side: same model, processor, threads and numbers of tokens. */
import type { BenchmarkOptions } from "./benchmark.ts";
import { NEW_TOKENS, promptTokens, SEQUENCES, THREADS, timeEngine, withEngine } from "./embedded.ts";
import { markdownTable } from "./markdown-table.ts";
import { SETTINGS, timeLlamaCpp } from "./peers/llama-cpp.ts";
import { median, range, ratio, whole } from "./statistics.ts";

const REPEATS = 3;

interface Rates {
  readonly name: string;
  readonly prompt: number[];
  readonly generated: number[];
}

export async function benchLlamaCpp({ llamaBench, gguf }: BenchmarkOptions): Promise<string> {
  if (llamaBench === undefined || gguf === undefined)
    return "not measured: needs llama.cpp and a GGUF of the model, `-- llama-cpp --llama-bench PROGRAM --gguf FILE`";
  return withEngine(async (engine) => {
    const ours: Rates = { name: "fusecheck's engine", prompt: [], generated: [] };
    const theirs = Object.entries(SETTINGS).map(([name, settings]) => ({
      rates: { name: `llama.cpp, ${name}`, prompt: [], generated: [] } as Rates,
      settings,
    }));
    for (let round = 0; round <= REPEATS; round++) {
      const prompts = await promptTokens(engine, round);
      const count = prompts.reduce((n, prompt) => n + prompt.length, 0);
      const { promptSeconds, decodeSeconds } = await timeEngine(engine, prompts);
      // Round 0 warms up.
      if (round === 0) continue;
      ours.prompt.push(count / promptSeconds);
      ours.generated.push((SEQUENCES * NEW_TOKENS) / decodeSeconds);
      const promptLength = Math.round(count / SEQUENCES);
      const job = { program: llamaBench, gguf, sequences: SEQUENCES, newTokens: NEW_TOKENS, threads: THREADS };
      for (const { rates, settings } of theirs) {
        const { speed_pp: prompt, speed_tg: generated } = await timeLlamaCpp({
          ...job,
          promptTokens: promptLength,
          settings,
        });
        rates.prompt.push(prompt);
        rates.generated.push(generated);
      }
    }
    const rows = [ours, ...theirs.map(({ rates }) => rates)].map((rates) => [
      rates.name,
      rate(rates.prompt),
      ratio(ours.prompt, rates.prompt),
      rate(rates.generated),
      ratio(ours.generated, rates.generated),
    ]);
    return [
      markdownTable(["", "prompt tokens/s", "ours to it", "generated tokens/s", "ours to it"], rows),
      "",
      `${SEQUENCES} sequences, ${NEW_TOKENS} new tokens each, ${THREADS} threads, weights in float32; prompts of gsm_synth's 3 shots, for ` +
        `llama.cpp of their mean length. Its numbers are those of its own llama-batched-bench, which chooses tokens at random instead of by ` +
        `their logits. Median (range) of ${REPEATS} rounds in turns.`,
    ].join("\n");
  });
}

function rate(values: readonly number[]): string {
  return `${whole(median(values))} (${range(values, whole)})`;
}
