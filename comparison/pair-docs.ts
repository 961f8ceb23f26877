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
  const docIds = [...baseline.keys()].filter((docId) => fused.has(docId));
  const paired: PairedByFilter[] = [];
  const flips: FlippedDoc[] = [];
  for (const { name: filter } of task.filters) {
    const markOf = (marks: MarksByDoc, docId: number): Marked => marks.get(docId)?.get(filter) as Marked;
    const a = docIds.map((docId) => markOf(baseline, docId));
    const b = docIds.map((docId) => markOf(fused, docId));
    paired.push({ filter, ...pairedDifference(a.map(exactMatchOf), b.map(exactMatchOf)) });
    for (const [index, docId] of docIds.entries()) {
      const [before, after] = [a[index] as Marked, b[index] as Marked];
      if (before.exactMatch !== after.exactMatch) {
        flips.push({ doc_id: docId, filter, baseline: answerOf(before), fused: answerOf(after) });
      }
    }
  }
  const unpaired = { baseline: baseline.size - docIds.length, fused: fused.size - docIds.length };
  return { paired, flips, unpaired };
}

function exactMatchOf(marked: Marked): 0 | 1 {
  return marked.exactMatch;
}

function answerOf({ extracted, exactMatch }: Marked): MarkedAnswer {
  return { extracted, exact_match: exactMatch };
}
