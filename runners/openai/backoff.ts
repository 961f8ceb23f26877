/** When to try again. */
import type { Failure } from "./failure.ts";

export interface BackoffOptions {
  /** Upper bound of the first wait; doubles with each. */
  readonly baseMs: number;
  /** That bound grows no further. */
  readonly capMs: number;
}

/**
 * Exponential back-off with full jitter: uniform between nothing and the bound, so that requests that failed together
 * do not come back together. A server's `Retry-After` is waited out first.
 *
 * @param retry - 0 for the first retry
 * @param random - uniform in [0, 1)
 */
export function backoffMs(
  retry: number,
  retryAfterMs: number | undefined,
  { baseMs, capMs }: BackoffOptions,
  random: () => number,
): number {
  const jitter = random() * Math.min(capMs, baseMs * 2 ** retry);
  return (retryAfterMs ?? 0) + jitter;
}

/** Why a server that asks to be left alone is not waited for; undefined where it is, or does not ask. */
export function asksForTooLong(
  { retryAfterMs = 0 }: Failure,
  { retryAfterMaxMs }: { readonly retryAfterMaxMs: number },
): string | undefined {
  if (retryAfterMs <= retryAfterMaxMs) return undefined;
  const [asked, most] = [retryAfterMs, retryAfterMaxMs].map((ms) => Math.round(ms / 1000));
  return `it asks to be left alone for ${asked} s, and is waited for ${most} s at most`;
}

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date.
 *
 * @returns milliseconds from `now`, at least 0; undefined for anything else
 */
export function parseRetryAfter(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  // Date.parse takes much that is no HTTP date, such as "-1".
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
