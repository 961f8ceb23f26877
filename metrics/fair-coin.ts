/**
 * How likely a fair coin shows heads at least `heads` times in `tosses`: the exact one-sided sign test (a binomial tail with
 * p = 1/2). Any number of tosses: terms are added until they no longer matter.
 */
export function fairCoinTail(heads: number, tosses: number): number {
  if (heads <= 0) return 1;
  if (heads > tosses) return 0;
  // From the middle down the terms grow, so the other tail is added up in its place.
  if (2 * heads <= tosses) return 1 - fairCoinTail(tosses - heads + 1, tosses);
  const first = Math.exp(logFactorial(tosses) - logFactorial(heads) - logFactorial(tosses - heads) - tosses * Math.LN2);
  let [sum, term] = [0, first];
  for (let k = heads; k <= tosses && term > sum * 1e-17; k++) {
    sum += term;
    term *= (tosses - k) / (k + 1);
  }
  return Math.min(1, sum);
}

/** Stirling's series; below 16, where it is less exact, the sum itself. */
function logFactorial(n: number): number {
  if (n < 16) {
    let sum = 0;
    for (let k = 2; k <= n; k++) sum += Math.log(k);
    return sum;
  }
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n) - 1 / (360 * n ** 3);
}
