import type { Difference } from "../metrics/worst-tokens.ts";

const WORDS: Readonly<Record<Difference, string>> = {
  unexplained: "unexplained",
  weights: "weights",
  nearTies: "near-tie",
  downstream: "downstream",
};

/** What a difference is called; without margins nothing is known to be no near-tie. */
export function causeWord(cause: Difference, marginsKnown: boolean): string {
  return cause === "unexplained" && !marginsKnown ? "near-tie or fault" : WORDS[cause];
}
