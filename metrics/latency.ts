/** Requests, tokens and the wall-clock time in which they were served. */
export interface Work {
  readonly requests: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Wall-clock seconds of the whole, not the sum over concurrent requests. */
  readonly seconds: number;
}

/** Rates over the wall clock; `not measured` when no time passed, since a rate would be infinite. */
export type Throughput =
  | { readonly kind: "not measured" }
  | {
      readonly kind: "measured";
      readonly seconds: number;
      readonly promptTokensPerSecond: number;
      readonly generatedTokensPerSecond: number;
      readonly requestsPerSecond: number;
    };

/** Tokens and requests per second. */
export function throughput({ requests, promptTokens, generatedTokens, seconds }: Work): Throughput {
  if (!(seconds > 0) || !Number.isFinite(seconds)) return { kind: "not measured" };
  return {
    kind: "measured",
    seconds,
    promptTokensPerSecond: promptTokens / seconds,
    generatedTokensPerSecond: generatedTokens / seconds,
    requestsPerSecond: requests / seconds,
  };
}

/** How long single requests took, in milliseconds. */
export type RequestLatency =
  | { readonly kind: "no requests" }
  | {
      readonly kind: "measured";
      readonly requests: number;
      readonly total: number;
      readonly mean: number;
      readonly median: number;
      readonly p95: number;
      readonly max: number;
    };

/**
 * Totals and percentiles of request durations in milliseconds; percentiles interpolate linearly, as numpy's default does.
 *
 * @throws RangeError when a duration is negative or not finite.
 */
export function requestLatency(milliseconds: Iterable<number>): RequestLatency {
  const sorted = Float64Array.from(milliseconds).toSorted();
  if (sorted.length === 0) return { kind: "no requests" };
  for (const duration of sorted) {
    if (!Number.isFinite(duration) || duration < 0) throw new RangeError(`a duration is ${duration} ms`);
  }
  const total = sorted.reduce((sum, duration) => sum + duration, 0);
  return {
    kind: "measured",
    requests: sorted.length,
    total,
    mean: total / sorted.length,
    median: percentile(sorted, 0.5),
    p95: percentile(sorted, 0.95),
    max: sorted.at(-1)!,
  };
}

function percentile(sorted: Float64Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}
