/** Cosines and sines of rotary position embeddings for every position of the context, [positions, rotaryDim / 2]. */
import type { ModelConfig } from "./config.ts";

export function rotaryTables({ rotaryDim, ropeTheta, contextLength }: ModelConfig): {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
} {
  const half = rotaryDim / 2;
  const cos = new Float32Array(contextLength * half);
  const sin = new Float32Array(contextLength * half);
  for (let i = 0; i < half; i++) {
    // Rounded to float32 where Hugging Face Transformers rounds: the frequency, then the angle.
    const frequency = Math.fround(1 / Math.fround(ropeTheta ** Math.fround((2 * i) / rotaryDim)));
    for (let position = 0; position < contextLength; position++) {
      const angle = Math.fround(position * frequency);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return { cos, sin };
}
