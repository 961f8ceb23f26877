/** The middle of several measurements: one slow moment of the machine does not move it. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? NaN, sorted[Math.floor(middle)] ?? NaN];
  return (low + high) / 2;
}

/** Smallest and largest, to show beside a median. */
export function range(values: readonly number[], format: (value: number) => string): string {
  return `${format(Math.min(...values))} to ${format(Math.max(...values))}`;
}

/** A rate or a count without digits that mean nothing: 12,345. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** How many times as much ours is, round by round; the median of that. */
export function ratio(own: readonly number[], other: readonly number[]): string {
  return `${median(own.map((value, round) => value / (other[round] ?? NaN))).toFixed(2)}x`;
}
