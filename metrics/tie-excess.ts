/**
 * Near-ties are excused, so there must not be more of them than there are: a router whose scores are rounded coarsely, or
 * whose margins are recorded wrong, has ties where the other one has none. The same tokens are compared, and a margin that
 * rounding moves across the limit goes either way alike; so of the choices that are ties in one variant alone, the ties of
 * each variant are as the heads and tails of a fair coin. An excess beyond chance is a fault (two-sided exact sign test).
 */
import { fairCoinTail } from "./binomial.ts";

/** Choices whose margin is within the tolerance of a near-tie. */
export interface TieCounts {
  readonly both: number;
  readonly onlyBaseline: number;
  readonly onlyFused: number;
}

export const NO_TIES: TieCounts = { both: 0, onlyBaseline: 0, onlyFused: 0 };

export function mergeTies(a: TieCounts, b: TieCounts): TieCounts {
  return {
    both: a.both + b.both,
    onlyBaseline: a.onlyBaseline + b.onlyBaseline,
    onlyFused: a.onlyFused + b.onlyFused,
  };
}

/** How rarely chance alone may look like a fault: a nightly job sees it once in three years. */
const CHANCE_OF_EXCESS = 0.001;

/** Whether one variant has more ties than the other by more than chance. */
export function hasTieExcess({ onlyBaseline, onlyFused }: TieCounts): boolean {
  const more = Math.max(onlyBaseline, onlyFused);
  return 2 * fairCoinTail(more, onlyBaseline + onlyFused) <= CHANCE_OF_EXCESS;
}
