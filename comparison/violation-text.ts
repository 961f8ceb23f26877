import type { InvariantCount } from "../runners/runner.ts";

/** A broken invariant in words: where, which, both values. */
export function violationText({ layer, invariant, expected, found }: InvariantCount["violations"][number]): string {
  return `layer ${layer}: ${invariant}, expected ${expected}, found ${found}`;
}
