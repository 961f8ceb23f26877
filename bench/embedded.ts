/** The embedded engine as the benchmarks run it: many sequences, all of one length. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EmbeddedEngine } from "../engine/embedded-engine.ts";
import { buildPrompts, getTask } from "../tasks/index.ts";

const MODEL_DIR = fileURLToPath(new URL("../models/abacus-8m", import.meta.url));
export const SEQUENCES = 32;
export const NEW_TOKENS = 128;
export const THREADS = 2;

/** Gives `use` the engine, its checkpoint and a folder; all of them end with it. */
export async function withEngine(
  use: (engine: EmbeddedEngine, checkpoint: string, folder: string) => Promise<string>,
): Promise<string> {
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
      return await use(engine, checkpoint, folder);
    } finally {
      await engine.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Seconds for the prompts alone, and for the new tokens alone: the second request finds its prompt in the cache. */
export async function timeEngine(
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

export async function promptTokens(engine: EmbeddedEngine, round: number): Promise<number[][]> {
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
