/** The embedded engine and Hugging Face Transformers, side by side: same checkpoint, prompts, processor and threads. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EmbeddedEngine } from "../engine/embedded-engine.ts";
import { buildPrompts, getTask } from "../tasks/index.ts";
import type { BenchmarkOptions } from "./benchmark.ts";
import { markdownTable } from "./markdown-table.ts";
import { timeTransformers } from "./peers/transformers.ts";
import type { TransformersTimes } from "./peers/transformers.ts";
import { median, range, whole } from "./statistics.ts";

const MODEL_DIR = fileURLToPath(new URL("../models/abacus-8m", import.meta.url));
const SEQUENCES = 32;
const NEW_TOKENS = 128;
const THREADS = 2;
const REPEATS = 5;

interface Rates {
  readonly prompt: number[];
  readonly generated: number[];
}

export async function benchEngine({ python }: BenchmarkOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-bench-"));
  try {
    const checkpoint = withoutEndOfText(folder);
    const engine = await EmbeddedEngine.open({
      modelDir: checkpoint,
      routing: "fused",
      concurrency: SEQUENCES,
      lanes: THREADS,
    });
    try {
      return await compare(engine, checkpoint, python, join(folder, "prompts.jsonl"));
    } finally {
      await engine.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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

/** Seconds for the prompts alone, and for the new tokens alone: the second request finds its prompt in the cache. */
async function timeEngine(
  engine: EmbeddedEngine,
  prompts: readonly (readonly number[])[],
): Promise<{ promptSeconds: number; decodeSeconds: number; tokens: (readonly number[])[] }> {
  const ask = async (
    maxTokens: number,
  ): Promise<{ seconds: number; uncached: number; tokens: (readonly number[])[] }> => {
    const start = performance.now();
    const options = { maxTokens, stop: [], temperature: 0, seed: "", logprobs: false };
    const completions = await Promise.all(prompts.map((prompt) => engine.complete({ prompt, ...options })));
    const uncached = completions.map(
      ({ cachedPromptTokens }, i) => (prompts[i] as readonly number[]).length - cachedPromptTokens,
    );
    const tokens = completions.map(({ tokenIds }) => tokenIds);
    return { seconds: (performance.now() - start) / 1000, uncached: Math.max(...uncached), tokens };
  };
  const first = await ask(1);
  const all = await ask(NEW_TOKENS);
  // Else the second time would hold prompt work too. One token of a prompt is always run.
  if (all.uncached > 1) throw new Error(`${all.uncached} tokens of a prompt were not cached`);
  return { promptSeconds: first.seconds, decodeSeconds: all.seconds, tokens: all.tokens };
}

async function promptTokens(engine: EmbeddedEngine, round: number): Promise<number[][]> {
  const task = getTask("gsm_synth");
  const docs = buildPrompts(task, await task.load({}), { limit: (round + 1) * SEQUENCES });
  return [...docs].slice(round * SEQUENCES).map(({ prompt }) => {
    if (prompt.kind !== "completion") throw new Error("a completion prompt was asked for");
    return engine.tokenizer.encode(prompt.text);
  });
}

/** The checkpoint with no end-of-text token, so that every sequence gets the same number of new tokens from everyone. */
function withoutEndOfText(folder: string): string {
  const copy = join(folder, "checkpoint");
  cpSync(MODEL_DIR, copy, { recursive: true, filter: (path) => !/training|safetensors/.test(path) });
  symlinkSync(join(MODEL_DIR, "model.safetensors"), join(copy, "model.safetensors"));
  const path = join(copy, "config.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify({ ...config, eos_token_id: [] }));
  return copy;
}

function ratio(own: readonly number[], other: readonly number[]): string {
  return `${median(own.map((value, round) => value / (other[round] ?? NaN))).toFixed(2)}x`;
}
