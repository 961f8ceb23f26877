/** Reads prompts that are given: JSON Lines rows with `prompt`, `messages` or `token_ids`; what `fusecheck prompts` prints is such a file. */
import { UserError } from "../errors.ts";
import { readJsonl } from "./data/jsonl.ts";
import type { Message, Prompt } from "./prompts.ts";
import { SeenIds } from "./seen-ids.ts";

export interface PromptRow {
  /** The row's `doc_id`, else its place in the file, from 0. */
  readonly docId: number;
  readonly prompt: Prompt | { readonly kind: "tokens"; readonly ids: readonly number[] };
}

const EXPECTED = 'expected {"prompt": text}, {"messages": [...]} or {"token_ids": [...]}, and perhaps "doc_id"';

/** Doc ids stand in captures as 32-bit integers, and so do token ids. */
const MAX_ID = 2 ** 31 - 1;

/**
 * The rows of a file, in order, held one at a time.
 *
 * @throws UserError that names file and line: a malformed row, or a doc_id that an earlier row had
 */
export async function* readPromptRows(path: string): AsyncGenerator<PromptRow> {
  const seen = new SeenIds();
  let place = 0;
  for await (const { line, value } of readJsonl(path)) {
    const fault = (found: string): UserError => new UserError(`${path}, line ${line}: ${found}; ${EXPECTED}`);
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw fault("not a JSON object");
    const docId = own(value, "doc_id") ?? place;
    if (!isId(docId)) throw fault(`"doc_id" is not a whole number from 0 to ${MAX_ID}`);
    if (!seen.add(docId)) throw new UserError(`${path}, line ${line}: doc_id ${docId} was there before`);
    yield { docId, prompt: promptOf(value, fault) };
    place++;
  }
}

function promptOf(row: object, fault: (found: string) => UserError): PromptRow["prompt"] {
  const given = ["prompt", "messages", "token_ids"].filter((key) => own(row, key) !== undefined);
  if (given.length !== 1) throw fault(given.length === 0 ? "no prompt" : `both "${given.join('" and "')}"`);
  const [text, messages, ids] = [own(row, "prompt"), own(row, "messages"), own(row, "token_ids")];
  if (messages !== undefined) {
    if (!Array.isArray(messages) || messages.length === 0 || !messages.every(isMessage))
      throw fault('"messages" is no list of {"role": ..., "content": text}');
    return { kind: "chat", messages: messages.map(({ role, content }) => ({ role, content })) };
  }
  if (ids !== undefined) {
    if (!Array.isArray(ids) || ids.length === 0 || !ids.every(isId)) throw fault('"token_ids" is no list of token ids');
    return { kind: "tokens", ids };
  }
  if (typeof text !== "string" || text === "") throw fault('"prompt" is not text, or empty');
  return { kind: "completion", text };
}

const ROLES: ReadonlySet<unknown> = new Set(["system", "user", "assistant"]);

function isMessage(value: unknown): value is Message {
  if (typeof value !== "object" || value === null) return false;
  return ROLES.has(own(value, "role")) && typeof own(value, "content") === "string";
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_ID;
}

function own(value: object, key: string): unknown {
  return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
