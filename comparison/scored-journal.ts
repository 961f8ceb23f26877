/**
 * What one variant's engine said of the sequences that both variants are given, one JSON line a doc in doc order. A torn last
 * line is dropped, and so is all from the first line that is no row: those docs are scored again.
 */
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { fileProblem } from "../reports/files.ts";
import type { CaptureShape } from "../runners/capture-store.ts";
import type { InvariantCount, LogprobWay, RoutingProblem } from "../runners/runner.ts";

export interface ScoredRow {
  readonly doc_id: number;
  /** Tokens run: prompt and completion without the last. */
  readonly tokens: number;
  /** What the capture holds of this doc; null where the engine gives no routing. */
  readonly shape: CaptureShape | null;
  /** Choices of which the capture holds the scores, too. Default: none. */
  readonly close_rows?: number;
  /** Log-probability of each completion token; null where the engine gives none. One that is not finite is null too. */
  readonly logprobs: readonly (number | null)[] | null;
  /** Null where the engine's routing data cannot be seen. */
  readonly invariants: InvariantCount | null;
  /** Why there is no routing, where the engine should give some. */
  readonly problem: RoutingProblem | null;
  /**
   * How log-probabilities were asked for without routing; null where there are none. Missing where prompt and completion
   * were given as token ids.
   */
  readonly way?: LogprobWay | null;
  /** With `way`: the token that each log-probability is of. */
  readonly token_names?: readonly string[];
  /** With `way`: why there are no log-probabilities. */
  readonly reason?: string;
}

/** Whether the row was made without asking for routing. */
export function isLogprobsOnly({ way }: ScoredRow): boolean {
  return way !== undefined;
}

export interface ScoredJournal {
  readonly rows: readonly ScoredRow[];
  /** @throws UserError when the disk is full and the like */
  append(row: ScoredRow): void;
  /** Forgets all rows but the first `count`. */
  keep(count: number): void;
  close(): void;
}

export function openScoredJournal(path: string): ScoredJournal {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const rows: ScoredRow[] = [];
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

const FIELDS = ["shape", "logprobs", "invariants", "problem"] as const;

function parseRow(line: string): ScoredRow | undefined {
  try {
    const row = JSON.parse(line) as Partial<ScoredRow> | null;
    const whole = Number.isSafeInteger(row?.doc_id) && Number.isSafeInteger(row?.tokens);
    if (!row || !whole || !FIELDS.every((field) => typeof row[field] === "object")) return undefined;
    return isNamed(row) ? (row as ScoredRow) : undefined;
  } catch {
    return undefined;
  }
}

/** Every log-probability has its token, where they have names. */
function isNamed({ way, token_names: names, logprobs }: Partial<ScoredRow>): boolean {
  if (way === undefined || way === null) return true;
  return Array.isArray(names) && Array.isArray(logprobs) && names.length === logprobs.length;
}
