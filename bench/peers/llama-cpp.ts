/** llama.cpp's own benchmark of many sequences at once, on the same model. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface LlamaCppJob {
  /** `llama-batched-bench` of a build of llama.cpp. */
  readonly program: string;
  /** The model as GGUF, in float32; see test/live/to_gguf.py. */
  readonly gguf: string;
  readonly sequences: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly threads: number;
  /** Of attention and its cache. */
  readonly settings: readonly string[];
}

/** Tokens per second over all sequences. */
export interface LlamaCppRates {
  readonly speed_pp: number;
  readonly speed_tg: number;
}

/** The arithmetic of the embedded engine, and what llama.cpp does by default. */
export const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  "float32 throughout": "-fa off -ctk f32 -ctv f32".split(" "),
  "its defaults": [],
};

export async function timeLlamaCpp(job: LlamaCppJob): Promise<LlamaCppRates> {
  const { program, gguf, sequences, promptTokens, newTokens, threads, settings } = job;
  const context = sequences * (promptTokens + newTokens);
  const args = ["-m", gguf, "-c", context, "-npl", sequences, "-npp", promptTokens, "-ntg", newTokens, "-t", threads];
  const { stdout } = await promisify(execFile)(program, [...args.map(String), ...settings, "--output-format", "jsonl"]);
  const line = stdout.split("\n").find((each) => each.includes("speed_tg"));
  if (line === undefined) throw new Error(`${program} gave no times`);
  return JSON.parse(line) as LlamaCppRates;
}
