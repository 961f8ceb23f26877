/** What the routing comparison found for each doc, one JSON line a doc in doc order; a torn last line is dropped. */
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
  readonly rows: ParityRow[];
  append(row: ParityRow): void;
  close(): void;
}

export function openParityJournal(path: string): ParityJournal {
  try {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const text = readFileSync(fd, "utf8");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    let size = Buffer.byteLength(whole);
    ftruncateSync(fd, size);
    const rows = whole.split("\n").slice(0, -1).map((line) => JSON.parse(line) as ParityRow);
    return {
      rows,
      append(row) {
        const line = Buffer.from(`${JSON.stringify(row)}\n`);
        try {
          for (let done = 0; done < line.length; ) done += writeSync(fd, line, done, line.length - done, size + done);
        } catch (error) {
          throw fileProblem(error, path, "cannot write");
        }
        size += line.length;
        rows.push(row);
      },
      close: () => closeSync(fd),
    };
  } catch (error) {
    throw fileProblem(error, path, "cannot open");
  }
}
