/** How far two variants' outputs of a layer lie apart on the same tokens. Plain JSON; merges. */
export interface OutputDifference {
  readonly layer: number;
  readonly tokens: number;
  /** Numbers compared: tokens times the hidden size. */
  readonly count: number;
  /** Sum of squares of the baseline's outputs. */
  readonly squares: number;
  /** Sum of squares of the differences. */
  readonly squaredDifferences: number;
  readonly maxDifference: number;
  /** Numbers that are not finite in either, and not the same. They are in no sum. */
  readonly notFinite: number;
}

/** @param tokens - so many, from the first on */
export function compareOutputs(
  layer: number,
  baseline: Float32Array,
  fused: Float32Array,
  { tokens, hiddenSize }: { readonly tokens: number; readonly hiddenSize: number },
): OutputDifference {
  const length = tokens * hiddenSize;
  if (baseline.length < length || fused.length < length)
    throw new RangeError(`layer ${layer}: ${baseline.length} and ${fused.length} outputs, not ${length}`);
  let [squares, squaredDifferences, maxDifference, notFinite, count] = [0, 0, 0, 0, 0];
  for (let i = 0; i < length; i++) {
    const [a, b] = [baseline[i]!, fused[i]!];
    const difference = Object.is(a, b) ? 0 : Math.abs(a - b);
    if (!Number.isFinite(difference) || !Number.isFinite(a)) {
      if (!Object.is(a, b)) notFinite++;
      continue;
    }
    count++;
    squares += a * a;
    squaredDifferences += difference * difference;
    maxDifference = Math.max(maxDifference, difference);
  }
  return { layer, tokens, count, squares, squaredDifferences, maxDifference, notFinite };
}

export function mergeOutputs(a: OutputDifference, b: OutputDifference): OutputDifference {
  if (a.layer !== b.layer) throw new RangeError(`outputs of layers ${a.layer} and ${b.layer} cannot be merged`);
  return {
    layer: a.layer,
    tokens: a.tokens + b.tokens,
    count: a.count + b.count,
    squares: a.squares + b.squares,
    squaredDifferences: a.squaredDifferences + b.squaredDifferences,
    maxDifference: Math.max(a.maxDifference, b.maxDifference),
    notFinite: a.notFinite + b.notFinite,
  };
}

/** Root mean square of the differences over that of the baseline's outputs; 0 where both are nothing. */
export function relativeDifference({ squares, squaredDifferences }: OutputDifference): number {
  return squaredDifferences === 0 ? 0 : Math.sqrt(squaredDifferences / squares);
}
