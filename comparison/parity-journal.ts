/**
 * What the routing comparison found for each doc, one JSON line a doc in doc order. A torn last line is dropped, and so is
 * all from the first line that is no row: those docs are scored again.
 */
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import type { LogprobDifference } from "../metrics/logprob-difference.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
import { fileProblem } from "../reports/files.ts";
import type { CaptureShape } from "../runners/capture-store.ts";
import type { InvariantCount } from "../runners/runner.ts";

export interface ParityRow {
  readonly doc_id: number;
  /** Tokens run: prompt and completion without the last. */
  readonly tokens: number;
  readonly shape: CaptureShape;
  readonly routing: RoutingParity;
  readonly logprobs: LogprobDifference;
  readonly invariants: { readonly baseline: InvariantCount; readonly fused: InvariantCount };
}

export interface ParityJournal {
  readonly rows: readonly ParityRow[];
  /** @throws UserError when the disk is full and the like */
  append(row: ParityRow): void;
  /** Forgets all rows but the first `count`. */
  keep(count: number): void;
  close(): void;
}

export function openParityJournal(path: string): ParityJournal {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const rows: ParityRow[] = [];
    /** Where each row ends in the file, in bytes. */
    const ends: number[] = [];
    let size = 0;
    for (const line of readFileSync(fd, "utf8").split("\n").slice(0, -1)) {
      const row = parseRow(line);
      if (row === undefined) break;
      size += Buffer.byteLength(line) + 1;
      rows.push(row);
      ends.push(size);
    }
    ftruncateSync(fd, size);
    return {
      rows,
      append(row) {
        const line = Buffer.from(`${JSON.stringify(row)}\n`);
        try {
          for (let done = 0; done < line.length;) done += writeSync(fd, line, done, line.length - done, size + done);
        } catch (error) {
          throw fileProblem(error, path, "cannot write");
        }
        size += line.length;
        rows.push(row);
        ends.push(size);
      },
      keep(count) {
        rows.length = Math.min(rows.length, count);
        ends.length = rows.length;
        size = ends.at(-1) ?? 0;
        ftruncateSync(fd, size);
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    throw fileProblem(error, path, "cannot open");
  }
}

function parseRow(line: string): ParityRow | undefined {
  try {
    const row = JSON.parse(line) as Partial<ParityRow> | null;
    const whole = Number.isSafeInteger(row?.doc_id) && Number.isSafeInteger(row?.tokens);
    return whole && row?.shape && row.routing && row.logprobs && row.invariants ? (row as ParityRow) : undefined;
  } catch {
    return undefined;
  }
}
