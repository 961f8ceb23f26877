/** Choosing the next token. */
import type { TokenLogprob } from "./requests.ts";

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
  return logProbabilities(logits, start, count)(token);
}

/** The `k` likeliest tokens under softmax(logits), likeliest first; the lower id of equals before the higher. */
export function topTokens(logits: Float32Array, start: number, count: number, k: number): TokenLogprob[] {
  const top: number[] = [];
  const value = (token: number): number => logits[start + token] as number;
  for (let token = 0; token < count; token++) {
    if (top.length === k && value(token) <= value(top[k - 1] as number)) continue;
    let place = top.length;
    while (place > 0 && value(token) > value(top[place - 1] as number)) place--;
    top.splice(place, 0, token);
    if (top.length > k) top.pop();
  }
  const logprob = logProbabilities(logits, start, count);
  return top.map((tokenId) => ({ tokenId, logprob: logprob(tokenId) }));
}

function logProbabilities(logits: Float32Array, start: number, count: number): (token: number) => number {
  const peak = logits[start + argmax(logits, start, count)] as number;
  let total = 0;
  for (let i = 0; i < count; i++) total += Math.exp((logits[start + i] as number) - peak);
  const logTotal = Math.log(total);
  return (token) => (logits[start + token] as number) - peak - logTotal;
}
