/** What answers showed of a fault, where it was measured. */

/** Strict exact match of gsm_synth 3-shot on abacus-8m, without the fault -> with it. */
export const ANSWERS_MEASURED: Readonly<Record<string, string>> = {
  // models/abacus-8m/README.md: the first 500 problems, each figure +- 0.015 to 0.022.
  "correction bias dropped": "0.884 → 0.878 (n = 500)",
  "one expert fewer than K": "0.884 → 0.874 (n = 500)",
  "softmax in place of sigmoid": "0.884 → 0.808 (n = 500)",
  "weights not renormalised": "0.884 → 0.774 (n = 500)",
  "scaling factor not applied": "0.884 → 0.422 (n = 500)",
};
