/** What is to be captured: prompts of a task, prompts from a file, or the tokens of another capture. */
import { UserError } from "../errors.ts";
import { readCapturedDocs } from "../runners/captures/captured-docs.ts";
import type { CaptureRequest } from "../runners/routed-experts/index.ts";
import type { RunnerPrompt } from "../runners/runner.ts";
import { buildPrompts, chooseDocs, FEWSHOT_SEED, readPromptRows } from "../tasks/index.ts";
import type { Task, TaskData } from "../tasks/index.ts";
import { DEFAULT_CAPTURED_DOCS, DEFAULT_MAX_TOKENS } from "./defaults.ts";

export interface SequenceToCapture {
  readonly docId: number;
  /** Without effect where the request has the prompt's token ids. */
  readonly prompt: RunnerPrompt;
  readonly request: CaptureRequest;
}

export interface SequencesToCapture {
  readonly kind: CaptureRequest["kind"];
  readonly sequences: readonly SequenceToCapture[];
  /** Where they come from, for the capture's metadata. */
  readonly origin: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

export interface TaskPromptsOptions {
  /** So many docs, drawn by the seed. Default: 5. */
  readonly docs?: number | undefined;
  /** Or just these. */
  readonly docIds?: readonly number[] | undefined;
  readonly numFewshot?: number | undefined;
  /** Of the docs' choice and of the examples' draws. */
  readonly seed?: number | undefined;
  readonly chat: boolean;
  /** Default: the task's own, else 256. */
  readonly maxTokens?: number | undefined;
}

/** @throws UserError for docs that the task does not have */
export function sequencesOfTask(task: Task, data: TaskData, options: TaskPromptsOptions): SequencesToCapture {
  const { docs: count = DEFAULT_CAPTURED_DOCS, seed = FEWSHOT_SEED, numFewshot, chat } = options;
  const wanted = new Set(options.docIds ?? chooseDocs(data.total, count, seed));
  const last = Math.max(...wanted);
  const isEndless = data.provenance.source === "generated";
  if (!isEndless && last >= data.total)
    throw new UserError(`${task.name} has docs 0 to ${data.total - 1}, and none ${last}`);
  const { until: stop, maxGenToks } = task.generation;
  const maxTokens = options.maxTokens ?? maxGenToks ?? DEFAULT_MAX_TOKENS;
  const sequences: SequenceToCapture[] = [];
  // In order from the first doc on: the examples' draws depend on those before.
  for (const { docId, prompt } of buildPrompts(task, data, {
    seed,
    chat,
    limit: last + 1,
    ...(numFewshot !== undefined && { numFewshot }),
  })) {
    if (wanted.has(docId)) sequences.push({ docId, prompt, request: { kind: "generated", maxTokens, stop } });
  }
  const origin = { task: task.name, task_version: String(task.version), seed: String(seed) };
  return { kind: "generated", sequences, origin, notes: [] };
}

/** @throws UserError for a file that holds no prompts, or some that do not fit the API */
export async function sequencesOfFile(
  path: string,
  { chat, maxTokens = DEFAULT_MAX_TOKENS, docIds }: Pick<TaskPromptsOptions, "chat" | "maxTokens" | "docIds">,
): Promise<SequencesToCapture> {
  const sequences: SequenceToCapture[] = [];
  const asked = { kind: "generated", maxTokens, stop: [] } as const;
  const wanted = docIds === undefined ? undefined : new Set(docIds);
  for await (const { docId, prompt } of readPromptRows(path)) {
    if (wanted?.delete(docId) === false) continue;
    if (prompt.kind === "tokens") {
      const none = { kind: "completion", text: "" } as const;
      sequences.push({ docId, prompt: none, request: { ...asked, promptIds: prompt.ids } });
      continue;
    }
    if ((prompt.kind === "chat") !== chat) {
      const advice = chat ? 'leave out --chat, or give "messages"' : "add --chat";
      throw new UserError(`${path}: doc ${docId} is a ${prompt.kind} prompt; ${advice}`);
    }
    sequences.push({ docId, prompt, request: asked });
  }
  const [missing] = wanted ?? [];
  if (missing !== undefined) throw new UserError(`${path} has no doc ${missing}`);
  if (sequences.length === 0) throw new UserError(`${path} holds no prompts`);
  return { kind: "generated", sequences, origin: { prompts: path }, notes: [] };
}

/** @throws UserError for a capture whose tokens cannot be run again */
export function sequencesOfCapture(path: string, docIds: readonly number[] | undefined): SequencesToCapture {
  const { docs, boundaries, path: file } = readCapturedDocs(path);
  const wanted = docIds === undefined ? undefined : new Set(docIds);
  const sequences = docs
    .filter(({ docId }) => wanted?.delete(docId) ?? true)
    .map(({ docId, prompt, completion }): SequenceToCapture => {
      return {
        docId,
        prompt: { kind: "completion", text: "" },
        request: { kind: "given", completion, promptIds: prompt },
      };
    });
  const [missing] = wanted ?? [];
  if (missing !== undefined) throw new UserError(`${file} has no doc ${missing}`);
  const whole = `${file} does not say where completions begin: all of it is run as prompts`;
  return { kind: "given", sequences, origin: { tokens_of: file }, notes: boundaries ? [] : [whole] };
}
