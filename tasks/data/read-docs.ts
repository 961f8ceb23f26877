/** Reads a split of a dataset: JSON Lines with GSM8K's two columns. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { UserError } from "../../errors.ts";
import type { Doc } from "../doc.ts";
import { fileFault } from "./file-fault.ts";
import { readJsonl } from "./jsonl.ts";

/**
 * All docs of a file, in order. Further columns stay in the doc, as they do in lm-eval, and so in its hash.
 *
 * @throws UserError that names file and line
 */
export async function readDocs(path: string): Promise<readonly Doc[]> {
  const docs: Doc[] = [];
  for await (const { line, value } of readJsonl(path)) {
    if (!isDoc(value)) {
      throw new UserError(
        `${path}, line ${line}: expected {"question": text, "answer": text}, found ${describe(value)}`,
      );
    }
    docs.push(value);
  }
  if (docs.length === 0)
    throw new UserError(`${path} holds no docs; expected lines {"question": text, "answer": text}`);
  return docs;
}

function isDoc(value: unknown): value is Doc {
  return isRecord(value) && isOwnText(value, "question") && isOwnText(value, "answer");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isOwnText(value: Record<string, unknown>, key: string): boolean {
  return Object.hasOwn(value, key) && typeof value[key] === "string";
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (!isRecord(value)) return `a ${typeof value}`;
  const lacking = ["question", "answer"].filter((key) => !Object.hasOwn(value, key));
  if (lacking.length > 0) return `no "${lacking.join('" and no "')}"`;
  const odd = ["question", "answer"].find((key) => typeof value[key] !== "string")!;
  return `"${odd}" that is not text`;
}

/** SHA-256 of a file's bytes, in lower-case hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  } catch (error) {
    throw fileFault(`cannot read ${path}`, error);
  }
  return hash.digest("hex");
}
