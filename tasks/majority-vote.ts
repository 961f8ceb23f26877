/**
 * The most frequent of several extracted answers, the first seen among equals; `null` (no answer found) votes like any
 * other and can win. Answers are compared as written: `18` and `18.` are two.
 */
export function majorityVote(answers: readonly [string | null, ...(string | null)[]]): string | null {
  const votes = new Map<string | null, number>();
  for (const answer of answers) votes.set(answer, (votes.get(answer) ?? 0) + 1);
  let winner = answers[0];
  for (const [answer, count] of votes) if (count > votes.get(winner)!) winner = answer;
  return winner;
}
