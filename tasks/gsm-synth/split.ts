import { statedNumbers } from "./phrases.ts";

export type Split = "train" | "test";

/** One problem in this many belongs to the test split: test draws cost that many attempts, train draws hardly more than one. */
const TEST_ONE_IN = 4;

/**
 * The split a question belongs to: a hash of the numbers it states, whatever their order. So no problem is in both
 * splits, nor is one that differs only in its names, things, wording or order of facts.
 */
export function splitOf(question: string): Split {
  const numbers = statedNumbers(question).toSorted((x, y) => x - y);
  return fnv1a(numbers.join(" ")) % TEST_ONE_IN === 0 ? "test" : "train";
}

/** FNV-1a, 32 bits, with a final mix since its low bits alone are weak. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  return (hash ^ (hash >>> 15)) >>> 0;
}
