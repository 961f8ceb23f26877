/**
 * How far the worst of the chosen scored above the best of the others: what the scores may move by before the choice
 * changes. Infinity where nothing was left out, NaN where a NaN had to be chosen.
 *
 * @param chosen indices into `scores`, `k` of them from `start` on
 * @param isEligible Whether an index could have been chosen at all; default: every one.
 */
export function choiceMargin(
  scores: Float32Array,
  chosen: Int32Array,
  start: number,
  k: number,
  isEligible: (index: number) => boolean = () => true,
): number {
  let worstChosen = Infinity;
  for (let i = start; i < start + k; i++) worstChosen = Math.min(worstChosen, scores[chosen[i] ?? 0] ?? 0);
  let bestOther = -Infinity;
  for (let index = 0; index < scores.length; index++) {
    const score = scores[index] ?? 0;
    if (score > bestOther && isEligible(index) && !isAmong(chosen, start, k, index)) bestOther = score;
  }
  return worstChosen - bestOther;
}

function isAmong(chosen: Int32Array, start: number, k: number, index: number): boolean {
  for (let i = start; i < start + k; i++) if (chosen[i] === index) return true;
  return false;
}
