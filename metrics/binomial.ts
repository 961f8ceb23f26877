/** The binomial distribution, in logarithms, so that no count overflows. */

/** Stirling's series is exact to a double from here on. */
const STIRLING_FROM = 16;

const FACTORIALS: readonly number[] = factorials(STIRLING_FROM);

function factorials(count: number): number[] {
  const all = [1];
  for (let n = 1; n < count; n++) all.push((all[n - 1] as number) * n);
  return all;
}

/** ln(n!) */
function logFactorial(n: number): number {
  if (n < STIRLING_FROM) return Math.log(FACTORIALS[n] as number);
  const x = n + 1;
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}

/** How likely `k` successes of `n` are, each with probability `p`; k from 0 to n. */
export function binomialPmf(k: number, n: number, p: number): number {
  if (p === 0) return k === 0 ? 1 : 0;
  if (p === 1) return k === n ? 1 : 0;
  const ways = logFactorial(n) - logFactorial(k) - logFactorial(n - k);
  return Math.exp(ways + k * Math.log(p) + (n - k) * Math.log1p(-p));
}

/** How likely at most `k` successes of `n` are; any k. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n) return 1;
  // The side away from the mean has terms that fall, so the sum can end early.
  if (k > n * p) return 1 - binomialCdf(n - k - 1, n, 1 - p);
  if (p === 1) return 0;
  let term = binomialPmf(k, n, p);
  let sum = term;
  for (let x = k; x > 0 && term > sum * 1e-18; x--) {
    term *= (x / (n - x + 1)) * ((1 - p) / p);
    sum += term;
  }
  return Math.min(1, sum);
}

/** How likely a fair coin shows heads at least `heads` times in `tosses`: the exact one-sided sign test. */
export function fairCoinTail(heads: number, tosses: number): number {
  return binomialCdf(tosses - heads, tosses, 0.5);
}
