/** How a prompt is cut up: what another sequence's cache has already, and what goes into one forward pass. */

/** Tokens of one sequence per forward pass. Bounds memory: attention scores take heads * chunk * context floats. */
const PREFILL_CHUNK = 256;

/**
 * The shortest stretch worth taking from another cache.
 *
 * Attention over a single query row rounds differently from attention over several, and results must not depend on what
 * was cached or how a prompt was cut. So tokens before a prompt's last are run at least two at a time, and the last one,
 * like every generated token, is run alone.
 */
export const MIN_SHARED_PREFIX = 32;

/**
 * Tokens at the start of `prompt` that can be taken over from a cache that begins with `cached`. The prompt's last token
 * never is, and a single token before it is left in company.
 */
export function sharedPrefix(cached: readonly number[], prompt: readonly number[]): number {
  const needed = prompt.length - 1;
  const most = Math.min(cached.length, needed);
  let length = 0;
  while (length < most && cached[length] === prompt[length]) length++;
  return length === needed - 1 ? length - 1 : length;
}

/** Cuts `from` to `to` into stretches of at most PREFILL_CHUNK, none of them of one token where that can be helped. */
export function* stretches(from: number, to: number): Generator<[number, number], void, undefined> {
  for (let start = from; start < to;) {
    const rest = to - start;
    const end = start + (rest === PREFILL_CHUNK + 1 ? PREFILL_CHUNK - 1 : Math.min(rest, PREFILL_CHUNK));
    yield [start, end];
    start = end;
  }
}
