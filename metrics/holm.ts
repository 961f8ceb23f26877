/**
 * Holm's correction (Scandinavian Journal of Statistics 6, 65-70, 1979) of several p-values, in the order given: how
 * small a level each is significant at when the chance of even one false alarm among all is to stay under that level,
 * however the tests depend on one another.
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).toSorted((a, b) => pValues[a]! - pValues[b]!);
  const adjusted: number[] = Array.from({ length: pValues.length }, () => 1);
  let largest = 0;
  for (const [rank, index] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[index]!));
    adjusted[index] = largest;
  }
  return adjusted;
}
