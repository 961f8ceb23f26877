/** Where both variants' answers first differ, over all docs that both answered. */
import { DivergenceTally } from "../metrics/text-divergence.ts";
import type { AnswerTokens } from "../metrics/text-divergence.ts";
import type { JudgedDivergence, NotJudged } from "../reports/comparison.ts";
import type { Journal } from "../reports/journal.ts";

export async function divergingTexts(
  baseline: Journal | undefined,
  fused: Journal | undefined,
  { docs, temperature }: { readonly docs: number; readonly temperature: number },
): Promise<JudgedDivergence | NotJudged> {
  if (baseline === undefined || fused === undefined) return { kind: "not judged", reason: "one variant only" };
  if (temperature > 0) return { kind: "not judged", reason: "the answers were sampled, so they differ by chance" };
  const tally = new DivergenceTally();
  for (let docId = 0; docId < docs; docId++) {
    const [a, b] = [await answerOf(baseline, docId), await answerOf(fused, docId)];
    if (a !== undefined && b !== undefined) tally.add(docId, a, b);
  }
  const found = tally.result();
  if (found.docs === 0) return { kind: "not judged", reason: "no doc was answered by both variants" };
  return { kind: "judged", ...found };
}

async function answerOf(journal: Journal, docId: number): Promise<AnswerTokens | undefined> {
  const outcome = (await journal.read(docId))?.outcome;
  if (outcome?.kind !== "completed") return undefined;
  return { text: outcome.text, tokenIds: outcome.token_ids };
}
