/** Reads completions to mark: JSON Lines rows with `completion`, and `doc_id` or `target`. */
import { UserError } from "../errors.ts";
import { readJsonl } from "./data/jsonl.ts";
import { SeenIds } from "./seen-ids.ts";

/** At least one of `docId` and `target` is there. */
export interface CompletionRow {
  readonly line: number;
  readonly completion: string;
  readonly docId?: number;
  readonly target?: string;
}

const EXPECTED = 'expected {"completion": text, "doc_id": number} or {"completion": text, "target": text}';

/**
 * The rows of a file, in order, held one at a time.
 *
 * @throws UserError that names file and line: a malformed row, or a doc_id that an earlier row had
 */
export async function* readCompletionRows(path: string): AsyncGenerator<CompletionRow> {
  const seen = new SeenIds();
  for await (const { line, value } of readJsonl(path)) {
    const row = parseRow(value, path, line);
    if (row.docId !== undefined && !seen.add(row.docId)) {
      throw new UserError(`${path}, line ${line}: doc_id ${row.docId} was there before; give each doc one completion`);
    }
    yield row;
  }
}

function parseRow(value: unknown, path: string, line: number): CompletionRow {
  const fault = (found: string): UserError => new UserError(`${path}, line ${line}: ${found}; ${EXPECTED}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw fault("not a JSON object");
  const completion = own(value, "completion");
  const docId = own(value, "doc_id");
  const target = own(value, "target");
  if (completion === undefined) throw fault('no "completion"');
  if (typeof completion !== "string") throw fault('"completion" is not text');
  if (docId !== undefined && !isDocId(docId)) throw fault('"doc_id" is not a whole number of at least 0');
  if (target !== undefined && typeof target !== "string") throw fault('"target" is not text');
  if (docId === undefined && target === undefined) throw fault('neither "doc_id" nor "target"');
  return { line, completion, ...(docId !== undefined && { docId }), ...(target !== undefined && { target }) };
}

function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function isDocId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
