/** Draws pairs of docs at random, independent of the formulas that are checked with them. */
import seedrandom from "seedrandom";
import type { DiscordantPairs } from "../../metrics/tango.ts";

/** What is true of the docs that are drawn. Shares. */
export interface Truth {
  readonly discordance: number;
  /** fused - baseline */
  readonly difference: number;
}

/** One discordant doc of a row of docs. */
export interface Discordant {
  /** From 0. */
  readonly doc: number;
  readonly lost: boolean;
}

/** Equal names draw equal docs, so that each cell of a table can be made again by itself. */
export class Draws {
  readonly #uniform: () => number;

  constructor(name: string) {
    this.#uniform = seedrandom.tychei(`statistics ${name}`);
  }

  /** The discordant ones of `n` docs in a row: how far it is to the next one has a geometric distribution. */
  *discordant(n: number, { discordance, difference }: Truth): Generator<Discordant> {
    if (discordance === 0) return;
    const lossShare = (1 - difference / discordance) / 2;
    const ofNone = Math.log1p(-discordance);
    for (let doc = this.#gap(ofNone); doc < n; doc += 1 + this.#gap(ofNone)) {
      yield { doc, lost: this.#uniform() < lossShare };
    }
  }

  #gap(ofNone: number): number {
    return Math.floor(Math.log(1 - this.#uniform()) / ofNone);
  }

  pairs(n: number, truth: Truth): DiscordantPairs {
    let [onlyBaseline, onlyFused] = [0, 0];
    for (const { lost } of this.discordant(n, truth)) {
      if (lost) onlyBaseline += 1;
      else onlyFused += 1;
    }
    return { n, onlyBaseline, onlyFused };
  }
}

/** How often of `trials` it happens, as a share. */
export function shareOf(trials: number, happens: () => boolean): number {
  let times = 0;
  for (let trial = 0; trial < trials; trial++) if (happens()) times += 1;
  return times / trials;
}

/** Remembers by the two counts: few tables are drawn, and those often. */
export function byCounts<T>(of: (pairs: DiscordantPairs) => T): (pairs: DiscordantPairs) => T {
  const known = new Map<string, T>();
  return (pairs) => {
    const key = `${pairs.n} ${pairs.onlyBaseline} ${pairs.onlyFused}`;
    let value = known.get(key);
    if (value === undefined) {
      value = of(pairs);
      known.set(key, value);
    }
    return value;
  };
}

/** `2.31 %`; a share of 0 is `0`. */
export function percent(share: number, digits = 2): string {
  return share === 0 ? "0" : `${(100 * share).toFixed(digits)} %`;
}

/** `1 point`, `-2 points` */
export function pointsOf(share: number): string {
  return `${100 * share} point${Math.abs(share) === 0.01 ? "" : "s"}`;
}
