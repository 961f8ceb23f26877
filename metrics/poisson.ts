/**
 * How likely at least `count` events are where `mean` are expected: the upper tail of a Poisson distribution.
 *
 * Summed from the head in logarithms, so that no mean overflows; means beyond some 1e6 are slow.
 */
export function poissonTail(count: number, mean: number): number {
  let head = 0;
  let logFactorial = 0;
  for (let k = 0; k < count; k++) {
    if (k > 0) logFactorial += Math.log(k);
    head += Math.exp(k * Math.log(mean) - mean - logFactorial);
  }
  return Math.min(1, Math.max(0, 1 - head));
}
