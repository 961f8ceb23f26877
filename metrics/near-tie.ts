/**
 * Could rounding have made a router choose these experts? Where its scores are known, that is decided by all of them, so
 * that any number of experts and whole groups may tie, and an expert that is not among those that tie is never excused.
 */

/** How a router chooses, given each expert's score with its correction bias. */
export interface ChoiceRule {
  /** Equal groups that the experts form, in id order; 1 where there are none. */
  readonly nGroup: number;
  /** Groups that are kept before experts are chosen. */
  readonly topkGroup: number;
  /** What a group is ranked by: its best score, or the sum of its best two. */
  readonly groupScore: "best" | "best two";
}

/** The scores of those tokens of a layer whose choice was close. */
export interface CloseScores {
  readonly rule: ChoiceRule;
  /** [E] of a token, by its row; undefined where its choice was not close, or nothing was kept of it. */
  readonly of: (row: number) => ArrayLike<number> | undefined;
}

/**
 * Whether experts may be chosen where scores, and the scores of groups, that differ by no more than the tolerance are taken
 * for equal:
 *
 * - there are groups, as many as are kept and all of the chosen experts' among them, none of which scores below a group left
 *   out by more than the tolerance;
 * - and no expert of these groups that was not chosen scores above one that was by more than the tolerance.
 *
 * So each score may be off by half of the tolerance. A NaN ties with nothing.
 *
 * @param ids - the chosen experts, `k` of them from `start` on
 */
export function mayBeChosen(
  scores: ArrayLike<number>,
  rule: ChoiceRule,
  { ids, start, k, tolerance }: ChosenRow,
): boolean {
  const chosen = new Set<number>();
  let worstChosen = Infinity;
  for (let slot = start; slot < start + k; slot++) {
    const id = ids[slot]!;
    const score = scores[id];
    // An id out of range, or a NaN.
    if (score === undefined || Number.isNaN(score)) return false;
    chosen.add(id);
    worstChosen = Math.min(worstChosen, score);
  }
  if (chosen.size < k) return false;
  const groups = groupsOf(scores, rule, chosen);
  const harmless = ({ bestOther }: Group): boolean => bestOther <= worstChosen + tolerance;
  const needed = groups.filter(({ used }) => used);
  if (needed.length > rule.topkGroup || !needed.every(harmless)) return false;
  // Of the others, the best that bring in no expert that should have been chosen: no other choice leaves out less.
  const others = groups.filter((group) => !group.used && harmless(group)).toSorted((a, b) => b.score - a.score);
  const kept = [...needed, ...others.slice(0, rule.topkGroup - needed.length)];
  if (kept.length < rule.topkGroup) return false;
  const worstKept = Math.min(...kept.map(({ score }) => score));
  return groups.every((group) => kept.includes(group) || group.score <= worstKept + tolerance);
}

export interface ChosenRow {
  readonly ids: ArrayLike<number>;
  readonly start: number;
  readonly k: number;
  readonly tolerance: number;
}

interface Group {
  readonly score: number;
  /** Whether any of its experts was chosen. */
  readonly used: boolean;
  /** The best score of those that were not; NaN where one is NaN. */
  readonly bestOther: number;
}

function groupsOf(scores: ArrayLike<number>, { nGroup, groupScore }: ChoiceRule, chosen: ReadonlySet<number>): Group[] {
  const size = scores.length / nGroup;
  return Array.from({ length: nGroup }, (_, group) => {
    let [first, second, bestOther, used] = [-Infinity, -Infinity, -Infinity, false];
    for (let id = group * size; id < (group + 1) * size; id++) {
      const score = scores[id]!;
      if (score > first) [first, second] = [score, first];
      else if (score > second) second = score;
      if (chosen.has(id)) used = true;
      else bestOther = Math.max(bestOther, score);
    }
    return { score: groupScore === "best two" && size > 1 ? first + second : first, used, bestOther };
  });
}
