/**
 * How absolute differences are distributed, in bins that are the same everywhere, so that histograms merge: eight bins to
 * a factor of two, from the smallest float32 to the largest, and one for "equal". A quantile is exact to an eighth.
 */
export interface DifferenceHistogram {
  /** [bin, how many], bins ascending, empty ones left out. Bin 0 is equality; see `binEdge` for the others. */
  readonly bins: readonly (readonly [bin: number, count: number])[];
}

/** Of a float32's bits, sign, exponent and the three highest of its fraction name the bin. */
const SHIFT = 20;
const BINS = 1 << (31 - SHIFT);

/** What is larger would be infinite as a float32, and have no bin. */
const MAX_FLOAT32 = 2 ** 128 - 2 ** 104;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The largest difference that a bin holds; 0 of bin 0. */
function binEdge(bin: number): number {
  if (bin === 0) return 0;
  bits[0] = (bin + 1) << SHIFT;
  return float[0] as number;
}

/** Counts differences. */
export class HistogramAccumulator {
  // Float64: a count may exceed 2^32.
  readonly #counts: Float64Array = new Float64Array(BINS);

  /** @param difference - finite, not negative */
  add(difference: number): void {
    if (difference === 0) this.#counts[0]!++;
    else {
      float[0] = Math.min(difference, MAX_FLOAT32);
      // What is too small for a float32 is still no equality.
      this.#counts[Math.max(1, bits[0]! >>> SHIFT)]!++;
    }
  }

  addEqual(count: number): void {
    this.#counts[0]! += count;
  }

  result(): DifferenceHistogram {
    const bins: [number, number][] = [];
    for (const [bin, count] of this.#counts.entries()) if (count > 0) bins.push([bin, count]);
    return { bins };
  }
}

export function mergeHistograms(parts: readonly DifferenceHistogram[]): DifferenceHistogram {
  const counts = new Map<number, number>();
  for (const { bins } of parts) for (const [bin, count] of bins) counts.set(bin, (counts.get(bin) ?? 0) + count);
  return { bins: [...counts].toSorted(([a], [b]) => a - b) };
}

/** A difference that at least the share `q` of all do not exceed, at most an eighth above the least such; 0 of none. */
export function quantile({ bins }: DifferenceHistogram, q: number): number {
  const total = bins.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [bin, count] of bins) {
    seen += count;
    if (seen >= q * total) return binEdge(bin);
  }
  return 0;
}
