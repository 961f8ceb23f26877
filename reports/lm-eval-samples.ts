/** The per-doc file of an lm-eval run, in its own schema. */
import { createHash } from "node:crypto";
import { writeFileAtomic } from "./files.ts";
import { pythonJson } from "./python-json.ts";
import { PythonFloat, type PythonValue } from "./python-repr.ts";

/** What lm-eval writes as the answer when a filter finds none. */
const NO_ANSWER = "[invalid]";

/** One completed doc and how each filter marked it. */
export interface SampleSource {
  readonly doc_id: number;
  /** The dataset's row, in its own column order. */
  readonly doc: { readonly [key: string]: PythonValue };
  readonly target: string;
  /** The prompt's text; for a chat, the JSON text of its messages in a list of one. */
  readonly prompt: string | readonly [string];
  /** The task's generation settings as lm-eval logs them: before the engine's own defaults. */
  readonly generation: { readonly [key: string]: PythonValue };
  readonly completion: string;
  /** What a reasoning model said before it. */
  readonly reasoning?: string;
  /** By filter name. */
  readonly answers: Readonly<Record<string, { readonly extracted: string | null; readonly exact_match: 0 | 1 }>>;
  readonly doc_hash: string;
  readonly prompt_hash: string;
  readonly target_hash: string;
}

/** One row of lm-eval's samples file, in its order of fields. */
export function sampleRow(source: SampleSource, filter: string): { readonly [key: string]: PythonValue } {
  const answer = Object.hasOwn(source.answers, filter) ? source.answers[filter] : undefined;
  if (answer === undefined) throw new RangeError(`doc ${source.doc_id} was not marked by filter ${filter}`);
  return {
    doc_id: source.doc_id,
    doc: source.doc,
    target: source.target,
    arguments: { gen_args_0: { arg_0: source.prompt, arg_1: source.generation } },
    resps: [[source.completion]],
    filtered_resps: [answer.extracted ?? NO_ANSWER],
    filter,
    metrics: ["exact_match"],
    doc_hash: source.doc_hash,
    prompt_hash: source.prompt_hash,
    target_hash: source.target_hash,
    exact_match: new PythonFloat(answer.exact_match),
    // Not in lm-eval's schema, whose readers take the fields that they know.
    ...(source.reasoning !== undefined && { reasoning: source.reasoning }),
  };
}

/** What was written. */
export interface SamplesWritten {
  readonly rows: number;
  /** lm-eval's `task_hashes` entry: SHA-256 over the doc, prompt and target hashes of all rows, in file order; null without rows. */
  readonly taskHash: string | null;
}

/**
 * Writes lm-eval's samples file: all docs under the first filter, then all under the next. Nothing is held in memory: the
 * docs are iterated once per filter.
 *
 * @param filters In the order of the task's own list: for GSM8K `strict-match`, then `flexible-extract`.
 * @param docs Gives the docs by rising id, anew each time it is iterated.
 * @throws UserError when the file cannot be written; then nothing is left of it.
 */
export async function writeSamples(
  path: string,
  filters: readonly string[],
  docs: Iterable<SampleSource> | AsyncIterable<SampleSource>,
): Promise<SamplesWritten> {
  const hash = createHash("sha256");
  let rows = 0;
  async function* lines(): AsyncGenerator<string> {
    for (const filter of filters) {
      for await (const source of docs) {
        rows++;
        hash.update(source.doc_hash + source.prompt_hash + source.target_hash);
        yield `${pythonJson(sampleRow(source, filter))}\n`;
      }
    }
  }
  await writeFileAtomic(path, lines());
  return { rows, taskHash: rows === 0 ? null : hash.digest("hex") };
}
