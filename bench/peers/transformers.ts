/** Hugging Face Transformers as a peer: one Python process per measurement, its own times of loading left out. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { UserError } from "../../errors.ts";

/** What the script prints. */
export interface TransformersTimes {
  readonly torch: string;
  readonly transformers: string;
  /** Experts implementation for prompts and for decoding, with a comma between. */
  readonly experts: string;
  /** Prompts as one padded batch, or one at a time. */
  readonly prompt_batch: "all" | "one";
  readonly prompt_seconds: number;
  readonly decode_seconds: number;
  /** First token and `newTokens` more of each prompt. */
  readonly tokens: readonly (readonly number[])[];
}

export interface TransformersJob {
  readonly python: string;
  readonly checkpoint: string;
  /** A file of token ids, a JSON list per line. */
  readonly prompts: string;
  readonly newTokens: number;
  readonly threads: number;
  /** What an earlier measurement found best; without it everything is tried. */
  readonly best: Pick<TransformersTimes, "experts" | "prompt_batch"> | undefined;
}

const SCRIPT = fileURLToPath(new URL("transformers_peer.py", import.meta.url));
const MAX_OUTPUT_BYTES = 2 ** 26;

/**
 * glibc gives large buffers back to the system after each operation and clears them anew for the next; kept instead,
 * Transformers decodes up to half as fast again. Other C libraries ignore these.
 */
const KEEP_MEMORY = { MALLOC_MMAP_THRESHOLD_: String(2 ** 32), MALLOC_TRIM_THRESHOLD_: String(2 ** 33) };

/** @throws UserError where this Python cannot be run, or cannot run the script */
export async function timeTransformers(job: TransformersJob): Promise<TransformersTimes> {
  const args = [SCRIPT, "--checkpoint", job.checkpoint, "--prompts", job.prompts];
  args.push("--new-tokens", String(job.newTokens), "--threads", String(job.threads));
  if (job.best !== undefined) args.push("--experts", job.best.experts, "--prompt-batch", job.best.prompt_batch);
  const env = { ...process.env, ...KEEP_MEMORY };
  try {
    const { stdout } = await promisify(execFile)(job.python, args, { env, maxBuffer: MAX_OUTPUT_BYTES });
    return JSON.parse(stdout) as TransformersTimes;
  } catch (cause) {
    // Python says what went wrong in the last line of its traceback.
    const { message, stderr = "" } = cause as Error & { readonly stderr?: string };
    throw new UserError(`--python ${job.python}: ${stderr.trim().split("\n").at(-1) || message}`, { cause });
  }
}
