/** The embedded engine as a runner. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../errors.ts";
import { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { RoutingName } from "../engine/routing/routing.ts";
import type { Runner, RunnerPrompt } from "./runner.ts";

export { engineVersions } from "../engine/versions.ts";

export interface EmbeddedRunnerOptions {
  readonly routing: RoutingName;
  /** A checkpoint folder. Default: the model that comes with fusecheck. */
  readonly modelDir?: string;
  /** Sequences at a time. */
  readonly concurrency: number;
}

export async function openEmbeddedRunner(options: EmbeddedRunnerOptions): Promise<Runner> {
  const { routing, concurrency, modelDir = defaultModelDir() } = options;
  const engine = await EmbeddedEngine.open({ modelDir, routing, concurrency });
  const { tokenizer } = engine;
  const encode = (prompt: RunnerPrompt): number[] =>
    prompt.kind === "completion" ? tokenizer.encode(prompt.text) : tokenizer.encodeChat(prompt.messages);
  return {
    async complete(prompt, { maxTokens, stop, temperature, seed }, signal) {
      const ids = encode(prompt);
      const request = { prompt: ids, maxTokens, stop, temperature, seed, logprobs: false };
      const { text, finishReason, tokenIds } = await engine.complete(request, signal);
      return { text, finishReason, tokenIds, promptTokens: ids.length, completionTokens: tokenIds.length };
    },
    async score(prompt, completion, signal) {
      const ids = encode(prompt);
      const { logprobs, routing: capture, invariants } = await engine.score({ tokens: [...ids, ...completion] }, signal);
      const inputIds = [...ids, ...completion.slice(0, -1)];
      return { inputIds, logprobs: logprobs.subarray(ids.length - 1), routing: capture, invariants };
    },
    close: () => engine.close(),
  };
}

/** What a run record says of the embedded engine: two checkpoints of one name are told apart by the hash. */
export async function describeEmbedded(modelDir: string = defaultModelDir()): Promise<{
  readonly name: "embedded";
  readonly model: string;
  readonly weights_sha256: string;
  readonly dtype: "float32";
}> {
  const weights = join(modelDir, "model.safetensors");
  return {
    name: "embedded",
    model: basename(resolve(modelDir)),
    weights_sha256: await sha256OfFile(weights),
    dtype: "float32",
  };
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new UserError(`cannot read ${path}: ${reason}; --model takes the folder of a checkpoint`, { cause });
  }
  return hash.digest("hex");
}

/** The models stand beside the sources in a checkout, and beside `dist` in the package. */
function defaultModelDir(): string {
  const root = import.meta.url.endsWith(".ts") ? "../" : "../../";
  return fileURLToPath(new URL(`${root}models/abacus-8m`, import.meta.url));
}
