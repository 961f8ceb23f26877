/** Marks one completion: each of the task's filters finds an answer, and exact match judges it. */
import { exactMatch } from "./exact-match.ts";
import type { Extract } from "./extract.ts";

/** One way to find the answer, under lm-eval's name for it. */
export interface AnswerFilter {
  readonly name: string;
  readonly extract: Extract;
}

export interface Marked {
  /** The answer as the completion has it, or `null` when the filter found none. */
  readonly extracted: string | null;
  readonly exactMatch: 0 | 1;
}

/** What lm-eval writes where a filter found nothing. It is judged like an answer: a target `[invalid]` would be met. */
const NOTHING_FOUND = "[invalid]";

/**
 * Marks a completion against a target with every filter.
 *
 * @param completion - as the engine gave it; nothing is stripped or cut at stop strings
 * @param target - the answer alone, or a worked solution that ends in `#### answer`
 * @returns by filter name, in the filters' order
 */
export function markWith(
  filters: readonly AnswerFilter[],
  completion: string,
  target: string,
): ReadonlyMap<string, Marked> {
  return new Map(
    filters.map(({ name, extract }) => {
      const extracted = extract(completion);
      return [name, { extracted, exactMatch: exactMatch(extracted ?? NOTHING_FOUND, target) }];
    }),
  );
}

/** What lm-eval's samples file holds as `filtered_resps`: the answer found, or `[invalid]`. */
export function filteredResponse(marked: Marked): string {
  return marked.extracted ?? NOTHING_FOUND;
}
