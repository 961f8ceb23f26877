/** What answers showed of a fault, where it was measured. */

/**
 * Strict exact match of gsm_synth 3-shot on abacus-8m, without the fault -> with it; `unnoticed` where the 95 % interval of
 * the difference holds 0.
 */
export const ANSWERS_MEASURED: Readonly<Record<string, string>> = {
  // models/abacus-8m/README.md: the first 500 problems of another draw, each figure +- 0.015 to 0.022.
  "correction bias dropped": "0.884 → 0.878, unnoticed (n = 500)",
  "one expert fewer than K": "0.884 → 0.874, unnoticed (n = 500)",
  "softmax in place of sigmoid": "0.884 → 0.808 (n = 500)",
  "weights not renormalised": "0.884 → 0.774 (n = 500)",
  "scaling factor not applied": "0.884 → 0.422 (n = 500)",
  // docs/parity.md: fusecheck parity --self-test --answers 100, paired.
  "expert e served by expert e+1": "0.920 → 0.000 (n = 100)",
  "two weights of a row swapped": "0.920 → 0.890, unnoticed (n = 100)",
  "one token dropped": "the engine fails",
  "one token sent twice, another never": "0.920 → 0.580 (n = 100)",
  "gather right, scatter wrong": "0.920 → 0.790 (n = 100)",
  "stale entries of the previous batch": "0.920 → 0.860, unnoticed (n = 100)",
  "wrong only for N = 1": "0.920 → 0.920, unnoticed (n = 100)",
  "wrong only in the last tile": "0.920 → 0.900, unnoticed (n = 100)",
  "scale applied to the weights again": "0.920 → 0.000 (n = 100)",
  "float32 weights rounded to bfloat16": "0.920 → 0.920, unnoticed (n = 100)",
  "two tokens exchanged": "0.920 → 0.820 (n = 100)",
};
