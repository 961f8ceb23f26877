import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { UserError } from "../errors.ts";

/**
 * Writes lines to standard output as fast as its reader takes them, each made when there is room for it. A reader that
 * has had enough (`| head`) ends it without an error.
 */
export async function writeLines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
  await write(withNewlines(lines));
}

/** Writes a text to standard output, to the same readers. */
export async function writeText(text: string): Promise<void> {
  await write([text]);
}

async function write(parts: Iterable<string> | AsyncIterable<string>): Promise<void> {
  try {
    await pipeline(Readable.from(parts), process.stdout, { end: false });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EPIPE") return;
    if (code === "ENOSPC") throw new UserError("cannot write to standard output: the disk is full", { cause: error });
    throw error;
  }
}

async function* withNewlines(lines: Iterable<string> | AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
  for await (const line of lines) yield `${line}\n`;
}
