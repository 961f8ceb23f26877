/** Marks completions that exist already, from a file, in memory that does not grow with it. */
import { stat } from "node:fs/promises";
import { UserError } from "../errors.ts";
import type { CompletionRow } from "./completion-rows.ts";
import { readCompletionRows } from "./completion-rows.ts";
import { writeAtomically } from "./data/atomic-file.ts";
import type { DataSource } from "./data/data-source.ts";
import { fileFault } from "./data/file-fault.ts";
import type { Provenance, TaskData } from "./data/task-data.ts";
import type { Marked } from "./mark.ts";
import type { Task } from "./task.ts";
import { mark } from "./tasks.ts";

export interface ScoreOptions {
  /** JSON Lines: `completion`, and `doc_id` (the task's data is then loaded) or `target` (which wins where both stand). */
  readonly completions: string;
  /** Written once all rows are marked: a JSON Lines row per input row, in order. Default: nothing is written. */
  readonly output?: string;
  readonly source?: DataSource;
  /** Stops between two rows; nothing is then written. */
  readonly signal?: AbortSignal;
}

export interface FilterScore {
  readonly filter: string;
  /** 1 for each row whose answer matched exactly, else 0, in the rows' order. */
  readonly scores: Uint8Array;
}

export interface ScoreSummary {
  /** Rows marked, at least 1. */
  readonly total: number;
  /** In the task's filter order. */
  readonly filters: readonly FilterScore[];
  /** Of the docs that rows named by `doc_id`; absent when none did. */
  readonly provenance?: Provenance;
}

/** @throws UserError that names file and line, or the signal's reason; nothing is then written */
export async function scoreCompletions(task: Task, options: ScoreOptions): Promise<ScoreSummary> {
  const { output } = options;
  if (output === undefined) return scoreRows(task, options, () => undefined);
  await checkOutput(output, options.completions);
  try {
    return await writeAtomically(output, async (file) => {
      const out = new BufferedLines((text) => file.appendFile(text));
      const summary = await scoreRows(task, options, (row, marks) => out.push(JSON.stringify(outputRow(row, marks))));
      await out.flush();
      return summary;
    });
  } catch (error) {
    throw fileFault(`cannot write ${output}`, error);
  }
}

/** The output takes its name by a rename: what stood there, were it a device or the input itself, would be gone. */
async function checkOutput(output: string, completions: string): Promise<void> {
  const [there, input] = await Promise.all([output, completions].map((path) => stat(path).catch(() => undefined)));
  if (there === undefined) return;
  if (there.isDirectory()) throw new UserError(`cannot write ${output}: it is a folder`);
  if (!there.isFile()) throw new UserError(`cannot write ${output}: it is no regular file; give --output another name`);
  if (input !== undefined && there.dev === input.dev && there.ino === input.ino)
    throw new UserError(`--output ${output} is the file of completions itself; give it another name`);
}

type Emit = (row: CompletionRow, marks: ReadonlyMap<string, Marked>) => Promise<void> | undefined;

async function scoreRows(
  task: Task,
  { completions, source = {}, signal }: ScoreOptions,
  emit: Emit,
): Promise<ScoreSummary> {
  const scores = task.filters.map(({ name }) => ({ name, bytes: new ByteList() }));
  let total = 0;
  let data: TaskData | undefined;
  for await (const row of readCompletionRows(completions)) {
    signal?.throwIfAborted();
    if (row.target === undefined) data ??= await task.load(source);
    const marks = mark(task, row.completion, row.target ?? targetOf(task, data!, row, completions));
    total++;
    for (const { name, bytes } of scores) bytes.push(marks.get(name)!.exactMatch);
    await emit(row, marks);
  }
  if (total === 0) throw new UserError(`${completions} holds no completions`);
  return {
    total,
    filters: scores.map(({ name, bytes }) => ({ filter: name, scores: bytes.toArray() })),
    ...(data !== undefined && { provenance: data.provenance }),
  };
}

function targetOf(task: Task, data: TaskData, { docId, line }: CompletionRow, path: string): string {
  const doc = data.doc(docId!);
  if (doc === undefined) {
    throw new UserError(`${path}, line ${line}: no doc ${docId}; ${task.name} has docs 0 to ${data.total - 1}`);
  }
  return task.target(doc);
}

function outputRow({ docId, target }: CompletionRow, marks: ReadonlyMap<string, Marked>): object {
  const judged = [...marks].map(([filter, { extracted, exactMatch }]): [string, object] => [
    filter,
    { extracted, exact_match: exactMatch },
  ]);
  return {
    ...(docId !== undefined && { doc_id: docId }),
    ...(target !== undefined && { target }),
    ...Object.fromEntries(judged),
  };
}

/** Bytes, as many as come: a score per row of a file of any length. */
class ByteList {
  #bytes = new Uint8Array(1024);
  #length = 0;

  push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  }

  toArray(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** A write per row would cost more than marking it. */
const BUFFERED_CHARACTERS = 2 ** 18;

class BufferedLines {
  readonly #write: (text: string) => Promise<void>;
  #pending = "";

  constructor(write: (text: string) => Promise<void>) {
    this.#write = write;
  }

  /** A promise only when something was written, so that most rows cost no wait. */
  push(line: string): Promise<void> | undefined {
    this.#pending += `${line}\n`;
    return this.#pending.length < BUFFERED_CHARACTERS ? undefined : this.flush();
  }

  async flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") await this.#write(text);
  }
}
