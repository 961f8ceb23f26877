/** Absolute differences, added up so that they merge; the mean is `sum / count` where `count > 0`. */
export interface DifferenceSum {
  /** Pairs of finite numbers compared. */
  readonly count: number;
  readonly sum: number;
  readonly max: number;
  /** Pairs in which a number was NaN or infinite and the two differ: in neither sum nor max. */
  readonly notFinite: number;
}

/** The differences of no pairs: the start of every merge. */
export const NO_DIFFERENCES: DifferenceSum = { count: 0, sum: 0, max: 0, notFinite: 0 };

/** Adds two sums of differences. */
export function mergeDifferences(a: DifferenceSum, b: DifferenceSum): DifferenceSum {
  return {
    count: a.count + b.count,
    sum: a.sum + b.sum,
    max: Math.max(a.max, b.max),
    notFinite: a.notFinite + b.notFinite,
  };
}

/** Adds up absolute differences pair by pair. */
export class DifferenceAccumulator {
  #count = 0;
  #sum = 0;
  #max = 0;
  #notFinite = 0;

  add(a: number, b: number): void {
    // Two equal infinities, or two NaNs, are no difference; subtracting them would be NaN.
    const difference = Object.is(a, b) ? 0 : Math.abs(a - b);
    if (!Number.isFinite(difference)) this.#notFinite++;
    else {
      this.#count++;
      this.#sum += difference;
      if (difference > this.#max) this.#max = difference;
    }
  }

  /** Adds so many pairs that are known to be equal. */
  addEqual(count: number): void {
    this.#count += count;
  }

  result(): DifferenceSum {
    return { count: this.#count, sum: this.#sum, max: this.#max, notFinite: this.#notFinite };
  }
}
