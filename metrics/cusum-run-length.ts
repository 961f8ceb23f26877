/**
 * How long a one-sided CUSUM runs until its first false alarm: S = max(0, S + u - k) for independent standard normal u,
 * alarm where S > h. The mean run length from S = s solves
 *
 *     L(s) = 1 + L(0) P(k - s) + integral over 0..h of L(y) p(y + k - s) dy
 *
 * (Page 1954; P and p are the normal's distribution and density). Solved at Gauss-Legendre nodes, where the smooth
 * integrand makes it exact to more digits than anybody needs.
 */
import { normalCdf, normalDensity } from "./normal.ts";

const NODES = 48;

const UNIT_RULE = gaussLegendre(NODES);

/** Standard deviations of drift that are forgiven per night; half the smallest shift that is to be found fast. */
export const CUSUM_ALLOWANCE: number = 0.5;

/** Mean number of nights from a fresh start to the first alarm, where nothing has changed. */
export function cusumRunLength(threshold: number, allowance: number = CUSUM_ALLOWANCE): number {
  const nodes = UNIT_RULE.nodes.map((node) => node * threshold);
  const weights = UNIT_RULE.weights.map((weight) => weight * threshold);
  // Unknowns: L at the nodes, and last L(0).
  const starts = [...nodes, 0];
  const matrix = starts.map((start, row) => [
    ...nodes.map(
      (node, column) => (row === column ? 1 : 0) - weights[column]! * normalDensity(node + allowance - start),
    ),
    (row === NODES ? 1 : 0) - normalCdf(allowance - start),
  ]);
  return solve(
    matrix,
    starts.map(() => 1),
  )[NODES]!;
}

/**
 * The threshold that makes false alarms so rare: the inverse of `cusumRunLength`.
 *
 * @param nights - mean run length, from 10 to 10 million
 * @throws RangeError outside of that
 */
export function cusumThreshold(nights: number, allowance: number = CUSUM_ALLOWANCE): number {
  if (!(nights >= 10 && nights <= 1e7)) throw new RangeError(`a mean run length of ${nights} nights cannot be had`);
  let [low, high] = [0.01, 20];
  while (high - low > 1e-6) {
    const middle = (low + high) / 2;
    if (cusumRunLength(middle, allowance) < nights) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** Nodes and weights of the Gauss-Legendre rule on 0..1, by Newton's method on the Legendre polynomial. */
function gaussLegendre(count: number): { readonly nodes: readonly number[]; readonly weights: readonly number[] } {
  const nodes: number[] = [];
  const weights: number[] = [];
  for (let i = 0; i < count; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (count + 0.5));
    let slope = 0;
    for (let step = 0; step < 20; step++) {
      let [before, value] = [1, x];
      for (let n = 2; n <= count; n++) [before, value] = [value, ((2 * n - 1) * x * value - (n - 1) * before) / n];
      slope = (count * (x * value - before)) / (x * x - 1);
      x -= value / slope;
    }
    nodes.push((1 - x) / 2);
    weights.push(1 / ((1 - x * x) * slope * slope));
  }
  return { nodes, weights };
}

/** Gaussian elimination with pivots. */
function solve(matrix: number[][], right: number[]): number[] {
  const n = right.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column; row < n; row++)
      if (Math.abs(matrix[row]![column]!) > Math.abs(matrix[pivot]![column]!)) pivot = row;
    [matrix[column], matrix[pivot]] = [matrix[pivot]!, matrix[column]!];
    [right[column], right[pivot]] = [right[pivot]!, right[column]!];
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row]![column]! / matrix[column]![column]!;
      for (let k = column; k < n; k++) matrix[row]![k]! -= factor * matrix[column]![k]!;
      right[row]! -= factor * right[column]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) right[row]! -= matrix[row]![k]! * right[k]!;
    right[row]! /= matrix[row]![row]!;
  }
  return right;
}
