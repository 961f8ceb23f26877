import seedrandom from "seedrandom";

/**
 * Draws `count` different docs of `total`, or all where there are no more: the same ones for the same seed, by rising id.
 */
export function chooseDocs(total: number, count: number, seed: number): number[] {
  const uniform = seedrandom(`docs:${seed}`);
  const chosen = new Set<number>();
  // Floyd's: each subset is equally likely, and no list of all docs is needed.
  for (let last = Math.max(0, total - count); last < total; last++) {
    const drawn = Math.floor(uniform() * (last + 1));
    chosen.add(chosen.has(drawn) ? last : drawn);
  }
  return [...chosen].toSorted((a, b) => a - b);
}
