import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../errors.ts";
import { fileProblem, makeFolder } from "./files.ts";
import { JournalIndex, type Entry } from "./journal-index.ts";
import { parseJournalRow, type JournalRow } from "./journal-row.ts";
import { readLines, type Line } from "./lines.ts";

/** No honest row comes near this; a file without line feeds must not fill the memory. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/** A stretch of the file. Rows in it never change: new ones are put behind them. */
interface Block {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** About a hundred rows: one read for each row costs more than all that is done with it. */
const BLOCK_BYTES = 128 * 1024;

interface Waiting {
  readonly row: JournalRow;
  readonly line: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Opens a journal for appending, creating it and its folder where needed. A torn last line (the process was killed while it
 * wrote) is cut away. Memory holds an index of the docs, not the rows.
 *
 * @throws UserError that names file and line when a whole line is not a row, or a doc appears twice.
 */
export async function openJournal(path: string): Promise<Journal> {
  try {
    await makeFolder(dirname(path));
    const file = await open(path, constants.O_RDWR | constants.O_CREAT);
    try {
      const index = new JournalIndex();
      const size = await readIndex(file, path, index);
      if (size < (await file.stat()).size) await file.truncate(size);
      return new Journal(path, file, index, size);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw fileProblem(error, path, "cannot open");
  }
}

/** Fills the index; returns where the last whole line ends. */
async function readIndex(file: FileHandle, path: string, index: JournalIndex): Promise<number> {
  const { size } = await file.stat();
  let end = 0;
  const lines = readLines(file, size, MAX_LINE_BYTES);
  try {
    for await (const line of lines) {
      if (!line.complete) break;
      const row = readRow(path, line);
      if (blocks(index.get(row.doc_id))) throw corrupt(path, line.number, `doc ${row.doc_id} is there already`);
      index.set(row.doc_id, { offset: line.offset, bytes: line.bytes.length, failed: row.outcome.kind === "failed" });
      end = line.offset + line.bytes.length + 1;
    }
  } catch (error) {
    throw error instanceof RangeError ? new UserError(`${path}: ${error.message}: choose another --output`) : error;
  }
  return end;
}

/** A completed doc must not be asked again; one that failed may be. */
function blocks(entry: Entry | undefined): boolean {
  return entry !== undefined && !entry.failed;
}

function readRow(path: string, line: Pick<Line, "number" | "bytes">): JournalRow {
  try {
    return parseJournalRow(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(line.bytes));
  } catch (error) {
    throw corrupt(path, line.number, error instanceof Error ? error.message : String(error), error);
  }
}

function corrupt(path: string, line: number, problem: string, cause?: unknown): UserError {
  const advice = "delete that line to have its doc asked again, or choose another --output";
  return new UserError(`${path}, line ${line}: ${problem}: ${advice}`, { cause });
}

/**
 * An append-only record of what became of each doc, one JSON object a line, in the order in which they finished.
 *
 * A resolved `append` is in the operating system's hands: it survives the death of this process, not a power cut before
 * `close`. A doc has one row; only a row that says `failed` may be followed by another of the same doc, which replaces it.
 */
export class Journal {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #index: JournalIndex;
  #size: number;
  #queue: Waiting[] = [];
  readonly #queued: Set<number> = new Set();
  #writing: Promise<void> | undefined;
  #broken: unknown;
  #block: Block = { offset: 0, bytes: Buffer.alloc(0) };
  #closed = false;

  /** Use `openJournal`. */
  constructor(path: string, file: FileHandle, index: JournalIndex, size: number) {
    this.path = path;
    this.#file = file;
    this.#index = index;
    this.#size = size;
  }

  /** How many docs have a row. */
  get docs(): number {
    return this.#index.size;
  }

  /** True when the doc was completed, in this session or an earlier one: it is not to be asked again. */
  isCompleted(docId: number): boolean {
    return blocks(this.#index.get(docId));
  }

  /** True when the doc's last row says that it failed. */
  isFailed(docId: number): boolean {
    return this.#index.get(docId)?.failed === true;
  }

  /**
   * Adds a row; resolves when it is written. Rows that arrive during a write go together into the next one.
   *
   * @throws Error when the doc was completed before, or the journal is closed; UserError when the disk is full and the like,
   *   and then for every later row too. Nothing half-written stays in the file.
   */
  async append(row: JournalRow): Promise<void> {
    if (this.#closed) throw new Error(`${this.path} is closed`);
    if (this.#broken !== undefined) throw this.#broken;
    if (this.isCompleted(row.doc_id) || this.#queued.has(row.doc_id)) {
      throw new Error(`${this.path}: doc ${row.doc_id} is there already`);
    }
    const line = Buffer.from(`${JSON.stringify(row)}\n`);
    this.#queued.add(row.doc_id);
    const written = new Promise<void>((resolve, reject) => {
      this.#queue.push({ row, line, resolve, reject });
    });
    this.#writing ??= this.#drain();
    await written;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      try {
        if (this.#broken !== undefined) throw this.#broken;
        await this.#write(batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#broken = error;
        for (const { reject } of batch) reject(error);
      }
      for (const { row } of batch) this.#queued.delete(row.doc_id);
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.concat(batch.map(({ line }) => line));
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#size + done);
        done += bytesWritten;
      }
    } catch (error) {
      // If this fails too, opening the journal again cuts the torn line away.
      await this.#file.truncate(this.#size).catch(() => {});
      throw fileProblem(error, this.path, "cannot write");
    }
    for (const { row, line } of batch) {
      this.#index.set(row.doc_id, {
        offset: this.#size,
        bytes: line.length - 1,
        failed: row.outcome.kind === "failed",
      });
      this.#size += line.length;
    }
  }

  /** The row of a doc, read back from the file. */
  async read(docId: number): Promise<JournalRow | undefined> {
    const entry = this.#index.get(docId);
    if (entry === undefined) return undefined;
    const { offset, bytes } = await this.#blockWith(entry);
    const start = entry.offset - offset;
    return parseJournalRow(bytes.toString("utf8", start, start + entry.bytes));
  }

  /** Docs are read by rising id, and their rows stand nearly in that order: the next is mostly in the same block. */
  async #blockWith(entry: Entry): Promise<Block> {
    const end = entry.offset + entry.bytes;
    const last = this.#block;
    if (last.offset <= entry.offset && end <= last.offset + last.bytes.length) return last;
    // Rows finish in another order than they were asked in, so a little of what is before, too.
    const offset = Math.max(0, entry.offset - BLOCK_BYTES / 4);
    const bytes = Buffer.allocUnsafe(Math.max(end, Math.min(this.#size, offset + BLOCK_BYTES)) - offset);
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, offset + done);
      if (bytesRead === 0)
        throw new UserError(`${this.path} became shorter while it was in use: choose another --output`);
      done += bytesRead;
    }
    this.#block = { offset, bytes };
    return this.#block;
  }

  /** The rows by rising doc id, one per doc, read one at a time; can be iterated again and again. */
  async *rows(): AsyncGenerator<JournalRow> {
    for (const docId of this.#index.docIds()) {
      const row = await this.read(docId);
      if (row !== undefined) yield row;
    }
  }

  /** Waits for what is being written, flushes to the disk and closes; a second call does nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing;
    try {
      await this.#file.sync();
    } catch (error) {
      throw fileProblem(error, this.path, "cannot write");
    } finally {
      await this.#file.close();
    }
  }
}
