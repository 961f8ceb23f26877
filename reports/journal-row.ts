/** What an engine answered for one doc. */
export interface Completed {
  readonly kind: "completed";
  readonly text: string;
  /** `length`: cut at `max_tokens`. */
  readonly finish_reason: "stop" | "length";
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  /** What a reasoning model said before its answer. It is no part of what is marked. */
  readonly reasoning?: string;
  readonly token_ids?: readonly number[];
  /** Entries of routing data that the answer came from and that were checked, how many were broken, and the first of these. */
  readonly routing?: { readonly checked: number; readonly broken: number; readonly first: string | null };
  /** From sending to the last token, in milliseconds. */
  readonly ms: number;
}

/** The engine gave no answer, after its retries. */
export interface Failed {
  readonly kind: "failed";
  readonly reason: string;
  readonly retries?: number;
}

/** One line of a journal: what became of one doc. */
export interface JournalRow {
  readonly doc_id: number;
  readonly doc_hash: string;
  readonly prompt_hash: string;
  readonly outcome: Completed | Failed;
}

/**
 * Reads one line of a journal.
 *
 * @throws Error that says what was expected, when the line is not a row.
 */
export function parseJournalRow(line: string): JournalRow {
  const row: unknown = JSON.parse(line);
  const problem = rowProblem(row);
  if (problem !== undefined) throw new Error(problem);
  return row as JournalRow;
}

function rowProblem(row: unknown): string | undefined {
  if (!isObject(row)) return "expected an object";
  if (!isCount(row["doc_id"])) return "doc_id must be a whole number, 0 or more";
  for (const key of ["doc_hash", "prompt_hash"]) if (typeof row[key] !== "string") return `${key} must be a string`;
  const outcome = row["outcome"];
  if (!isObject(outcome)) return "outcome must be an object";
  if (outcome["kind"] === "failed") {
    if (typeof outcome["reason"] !== "string") return "outcome.reason must be a string";
    return outcome["retries"] === undefined || isCount(outcome["retries"])
      ? undefined
      : "outcome.retries must be a count";
  }
  return outcome["kind"] === "completed" ? completedProblem(outcome) : 'outcome.kind must be "completed" or "failed"';
}

function completedProblem(outcome: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof outcome["text"] !== "string") return "outcome.text must be a string";
  if (outcome["finish_reason"] !== "stop" && outcome["finish_reason"] !== "length") {
    return 'outcome.finish_reason must be "stop" or "length"';
  }
  for (const key of ["prompt_tokens", "completion_tokens"])
    if (!isCount(outcome[key])) return `outcome.${key} must be a count`;
  if (typeof outcome["ms"] !== "number" || outcome["ms"] < 0) return "outcome.ms must be a number, 0 or more";
  const routing = outcome["routing"];
  if (routing !== undefined && !(isObject(routing) && isCount(routing["checked"]) && isCount(routing["broken"])))
    return "outcome.routing must have the counts checked and broken";
  if (outcome["reasoning"] !== undefined && typeof outcome["reasoning"] !== "string")
    return "outcome.reasoning must be a string";
  const ids = outcome["token_ids"];
  return ids === undefined || (Array.isArray(ids) && ids.every(isCount))
    ? undefined
    : "outcome.token_ids must be token ids";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
