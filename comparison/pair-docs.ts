/** Pairs two variants' marks doc by doc. */
import { pairedDifference } from "../metrics/paired.ts";
import type { FlippedDoc, MarkedAnswer, PairedByFilter } from "../reports/comparison.ts";
import type { Marked, Task } from "../tasks/index.ts";
import type { MarksByDoc } from "./compact-marks.ts";

export interface PairedDocs {
  readonly paired: readonly PairedByFilter[];
  readonly flips: readonly FlippedDoc[];
  /** How many docs only one variant completed. */
  readonly unpaired: { readonly baseline: number; readonly fused: number };
}

/** Over the docs that both variants completed. */
export function pairDocs(task: Task, baseline: MarksByDoc, fused: MarksByDoc): PairedDocs {
  const docIds = Float64Array.from(baseline.keys()).filter((docId) => fused.has(docId));
  const paired: PairedByFilter[] = [];
  const flips: FlippedDoc[] = [];
  for (const { name: filter } of task.filters) {
    // In columns: of a hundred thousand docs, their marks as objects would be the most that a run holds.
    const matches = { baseline: new Uint8Array(docIds.length), fused: new Uint8Array(docIds.length) };
    for (const [index, docId] of docIds.entries()) {
      const before = baseline.get(docId)?.get(filter) as Marked;
      const after = fused.get(docId)?.get(filter) as Marked;
      matches.baseline[index] = before.exactMatch;
      matches.fused[index] = after.exactMatch;
      if (before.exactMatch !== after.exactMatch) {
        flips.push({ doc_id: docId, filter, baseline: answerOf(before), fused: answerOf(after) });
      }
    }
    paired.push({ filter, ...pairedDifference(matches.baseline, matches.fused) });
  }
  const unpaired = { baseline: baseline.size - docIds.length, fused: fused.size - docIds.length };
  return { paired, flips, unpaired };
}

function answerOf({ extracted, exactMatch }: Marked): MarkedAnswer {
  return { extracted, exact_match: exactMatch };
}
