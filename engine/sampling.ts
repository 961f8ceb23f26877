/** Choosing the next token. */

/** Index of the largest value from `start` on; the lowest of equals. */
export function argmax(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if ((values[start + i] as number) > (values[start + best] as number)) best = i;
  return best;
}

/**
 * Draws a token from softmax(logits / temperature).
 *
 * @param uniform - a number in [0, 1)
 */
export function sampleToken(
  logits: Float32Array,
  start: number,
  count: number,
  temperature: number,
  uniform: number,
): number {
  const peak = logits[start + argmax(logits, start, count)] as number;
  const weight = (i: number): number => Math.exp(((logits[start + i] as number) - peak) / temperature);
  let total = 0;
  for (let i = 0; i < count; i++) total += weight(i);
  let left = uniform * total;
  for (let i = 0; i < count; i++) {
    left -= weight(i);
    if (left < 0) return i;
  }
  // Rounding can leave a remainder of nothing: the last token of non-zero weight is the one that was meant.
  let last = count - 1;
  while (last > 0 && weight(last) === 0) last--;
  return last;
}

/** Natural-log probability of one token under softmax(logits). */
export function logProbability(logits: Float32Array, start: number, count: number, token: number): number {
  const peak = logits[start + argmax(logits, start, count)] as number;
  let total = 0;
  for (let i = 0; i < count; i++) total += Math.exp((logits[start + i] as number) - peak);
  return (logits[start + token] as number) - peak - Math.log(total);
}
