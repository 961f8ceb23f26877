/**
 * The exact one-sided sign test: the chance of so many losses or more among all docs that differ, if a loss were as likely
 * as a win. Of 0/1 scores this is McNemar's exact test. Unlike a normal interval it holds however few docs differ.
 */
export function signTest(losses: number, wins: number): number {
  const n = losses + wins;
  // Terms of the binomial distribution from the last one down, by their ratio, scaled by the largest against underflow.
  let tail = 0;
  let logTerm = -n * Math.LN2;
  for (let count = n; count >= losses; count--) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(count / (n - count + 1));
  }
  return Math.min(1, tail);
}
