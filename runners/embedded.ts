/** The embedded engine as a runner. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { UserError } from "../errors.ts";
import { defaultModelDir } from "../engine/default-model-dir.ts";
import { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { RoutingName } from "../engine/routing/routing.ts";
import { captureEmbedded } from "./embedded-capture.ts";
import type { Runner, RunnerPrompt } from "./runner.ts";

export { engineVersions } from "../engine/versions.ts";

export interface EmbeddedRunnerOptions {
  readonly routing: RoutingName;
  /** A checkpoint folder. Default: the model that comes with fusecheck. */
  readonly modelDir?: string;
  /** Sequences at a time. */
  readonly concurrency: number;
  /** Prompts will be conversations: a model without a usable chat template is refused at once. Default false. */
  readonly chat?: boolean;
}

export async function openEmbeddedRunner(options: EmbeddedRunnerOptions): Promise<Runner> {
  const { routing, concurrency, modelDir = defaultModelDir() } = options;
  const engine = await EmbeddedEngine.open({ modelDir, routing, concurrency });
  const { tokenizer } = engine;
  if (options.chat === true) await requireChatTemplate(engine);
  const encode = (prompt: RunnerPrompt): number[] =>
    prompt.kind === "completion" ? tokenizer.encode(prompt.text) : tokenizer.encodeChat(prompt.messages);
  return {
    async complete(prompt, { checkRouting = false, ...asked }, signal) {
      const ids = encode(prompt);
      const request = { ...asked, prompt: ids, logprobs: false, checkRouting };
      const { text, finishReason, tokenIds, invariants } = await engine.complete(request, signal);
      const counts = { promptTokens: ids.length, completionTokens: tokenIds.length };
      return { text, finishReason, tokenIds, ...counts, ...(invariants && { invariants }) };
    },
    async score(prompt, completion, signal) {
      const ids = encode(prompt);
      const given = typeof completion === "string" ? tokenizer.encode(completion) : completion;
      const {
        logprobs,
        routing: capture,
        invariants,
      } = await engine.score({ tokens: [...ids, ...given], decodeFrom: ids.length - 1 }, signal);
      const inputIds = [...ids, ...given.slice(0, -1)];
      return { inputIds, logprobs: logprobs.subarray(ids.length - 1), routing: capture, invariants };
    },
    async outputs(prompt, completion, signal) {
      const ids = encode(prompt);
      const tokens = [...ids, ...completion];
      const scored = await engine.score({ tokens, decodeFrom: ids.length - 1, outputs: true }, signal);
      const { outputs } = scored;
      if (outputs === undefined) throw new Error("the engine gave no outputs");
      const { topkIds, nExpertsAct } = scored.routing;
      return { ...outputs, promptTokens: ids.length, topkIds, nExpertsAct };
    },
    capture: (prompt, request, signal) => captureEmbedded(engine, request.promptIds ?? encode(prompt), request, signal),
    close: () => engine.close(),
  };
}

async function requireChatTemplate(engine: EmbeddedEngine): Promise<void> {
  try {
    engine.tokenizer.encodeChat([{ role: "user", content: "1 + 1" }]);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** What a run record says of the embedded engine: two checkpoints of one name are told apart by the hashes. */
export async function describeEmbedded(modelDir: string = defaultModelDir()): Promise<{
  readonly name: "embedded";
  readonly model: string;
  readonly weights_sha256: string;
  /** Of `config.json`: the same weights under another config are another model. */
  readonly config_sha256: string;
  /** Of `tokenizer.json` and, where there is one, `tokenizer_config.json`, which holds the chat template. */
  readonly tokenizer_sha256: string;
  readonly dtype: "float32";
}> {
  const tokenizer = ["tokenizer.json"];
  if (existsSync(join(modelDir, "tokenizer_config.json"))) tokenizer.push("tokenizer_config.json");
  return {
    name: "embedded",
    model: basename(resolve(modelDir)),
    weights_sha256: await sha256(modelDir, ["model.safetensors"]),
    config_sha256: await sha256(modelDir, ["config.json"]),
    tokenizer_sha256: await sha256(modelDir, tokenizer),
    dtype: "float32",
  };
}

async function sha256(dir: string, names: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const name of names) {
    try {
      for await (const chunk of createReadStream(join(dir, name))) hash.update(chunk as Buffer);
    } catch (cause) {
      const parts = "--model takes the folder of a checkpoint: config.json, model.safetensors and tokenizer.json";
      throw new UserError(`cannot read ${join(dir, name)}: ${whyUnreadable(cause)}; ${parts}`, { cause });
    }
  }
  return hash.digest("hex");
}

function whyUnreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT" || code === "ENOTDIR") return "there is no such file";
  return code === "EISDIR" ? "it is a folder" : (error as Error).message;
}
