/** Router logits -> scores, as torch computes them in float32: each result is rounded to float32 once. */

export type ScoringFunction = "softmax" | "sigmoid" | "sqrtsoftplus";

/** Writes the scores of `logits[start .. start + scores.length)` into `scores`. */
export function scoreRow(logits: Float32Array, start: number, scoring: ScoringFunction, scores: Float32Array): void {
  switch (scoring) {
    case "sigmoid":
      return sigmoidRow(logits, start, scores);
    case "sqrtsoftplus":
      return sqrtSoftplusRow(logits, start, scores);
    case "softmax":
      return softmaxRow(logits, start, scores);
  }
}

function sigmoidRow(logits: Float32Array, start: number, scores: Float32Array): void {
  for (let e = 0; e < scores.length; e++) scores[e] = 1 / (1 + Math.exp(-(logits[start + e] ?? 0)));
}

/** sqrt(ln(1 + exp(x))), written so that no intermediate overflows and small results keep their digits. */
function sqrtSoftplusRow(logits: Float32Array, start: number, scores: Float32Array): void {
  for (let e = 0; e < scores.length; e++) {
    const x = logits[start + e] ?? 0;
    scores[e] = Math.sqrt(Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))));
  }
}

function softmaxRow(logits: Float32Array, start: number, scores: Float32Array): void {
  let max = -Infinity;
  for (let e = 0; e < scores.length; e++) max = Math.max(max, logits[start + e] ?? 0);
  let sum = 0;
  for (let e = 0; e < scores.length; e++) sum += Math.exp((logits[start + e] ?? 0) - max);
  // exp is computed again rather than read back from `scores`, where it would already be rounded.
  for (let e = 0; e < scores.length; e++) scores[e] = Math.exp((logits[start + e] ?? 0) - max) / sum;
}
