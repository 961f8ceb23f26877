/** Reads JSON Lines one row at a time, in memory that does not grow with the file. */
import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { UserError } from "../../errors.ts";
import { fileFault } from "./file-fault.ts";

export interface JsonRow {
  /** From 1. */
  readonly line: number;
  readonly value: unknown;
}

/** A file without newlines must not fill the memory; the longest completions worth marking are a few MB. */
const LONGEST_LINE = 256 * 2 ** 20;

const NEWLINE = 0x0a;

/**
 * The rows of a JSON Lines file. Only a newline ends a row (a row may hold U+2028 as it is); blank lines are passed over.
 *
 * @throws UserError that names file and line: unreadable, not UTF-8, not JSON, or a line without end
 */
export async function* readJsonl(path: string): AsyncGenerator<JsonRow> {
  let line = 0;
  for await (const bytes of readLines(path)) {
    line++;
    const row = parseLine(bytes, path, line);
    if (row !== undefined) yield row;
  }
}

function parseLine(bytes: Buffer, path: string, line: number): JsonRow | undefined {
  if (!isUtf8(bytes)) throw new UserError(`${path}, line ${line}: not UTF-8 text; expected one JSON object per line`);
  const decoded = bytes.toString("utf8");
  const text = line === 1 && decoded.startsWith("\ufeff") ? decoded.slice(1) : decoded;
  if (text.trim() === "") return undefined;
  try {
    return { line, value: JSON.parse(text) };
  } catch (error) {
    const found = text.length > 60 ? `${text.slice(0, 60)}…` : text;
    throw new UserError(
      `${path}, line ${line}: not JSON: ${JSON.stringify(found)}; expected one JSON object per line`,
      {
        cause: error,
      },
    );
  }
}

async function* readLines(path: string): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  let ended = 0;
  const stream = createReadStream(path, { highWaterMark: 2 ** 18 });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
        const tail = chunk.subarray(start, end);
        yield pending.length === 0 ? tail : Buffer.concat([...pending, tail]);
        ended++;
        pending = [];
        pendingBytes = 0;
        start = end + 1;
      }
      if (start < chunk.length) pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > LONGEST_LINE) {
        throw new UserError(
          `${path}, line ${ended + 1}: longer than ${LONGEST_LINE} bytes; expected one JSON object per line`,
        );
      }
    }
  } catch (error) {
    throw fileFault(`cannot read ${path}`, error);
  }
  if (pending.length > 0) yield Buffer.concat(pending);
}
