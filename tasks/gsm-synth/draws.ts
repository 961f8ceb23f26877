import seedrandom from "seedrandom";
import type { Level } from "./difficulty.ts";

/** Thrown when the drawn numbers do not fit a story: the generator draws the problem again. */
export class Redraw extends Error {
  override name = "Redraw";
}

// Redraws are common and carry nothing: one shared object spares a stack trace for each.
const REDRAW = new Redraw("the drawn numbers do not fit");

/** Ends the present attempt. */
export function redraw(): never {
  throw REDRAW;
}

/**
 * Uniform numbers in [0, 1) from a text. Of seedrandom's generators Tyche-i was the fastest to start (measured) and,
 * unlike xor128, xorwow and xorshift7, gives unrelated first draws for seeds that differ in one digit.
 */
export function uniform(seed: string): () => number {
  return seedrandom.tychei(seed);
}

/** Draws one of the keys of a table of relative frequencies. */
export function weighted(shares: Readonly<Record<number, number>>): (next: () => number) => number {
  const entries = Object.entries(shares).map(([key, share]): [number, number] => [Number(key), share]);
  const sum = entries.reduce((total, [, share]) => total + share, 0);
  return (next) => {
    let rest = next() * sum;
    return entries.find(([, share]) => (rest -= share) < 0)?.[0] ?? redraw();
  };
}

/** The draws of one attempt. Ranges include both ends. */
export class Draws {
  readonly #next: () => number;
  readonly #level: Level;

  constructor(next: () => number, level: Level) {
    this.#next = next;
    this.#level = level;
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  int(low: number, high: number): number {
    if (high < low) redraw();
    return low + Math.floor(this.#next() * (high - low + 1));
  }

  /** A count, distance or sum of money: the range widens with the level. */
  amount(low: number, high: number): number {
    return this.int(low, Math.round(high * this.#level.amounts));
  }

  /** A price, speed or number per box: the range widens with the level, but less. */
  rate(low: number, high: number): number {
    return this.int(low, Math.round(high * this.#level.rates));
  }

  /** A multiple of `step` from a range that widens like `amount`. */
  multiple(step: number, low: number, high: number): number {
    return step * this.int(Math.ceil(low / step), Math.floor((high * this.#level.amounts) / step));
  }

  /** A divisor of `n` between `low` and `high`; a redraw when there is none. */
  divisor(n: number, low: number, high: number): number {
    const divisors: number[] = [];
    for (let k = low; k <= high && k < n; k++) if (n % k === 0) divisors.push(k);
    return this.pick(divisors);
  }

  /** Like `amount`, but never above `most`. */
  upTo(most: number, low: number, high: number): number {
    return this.int(low, Math.min(most, Math.round(high * this.#level.amounts)));
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) redraw();
    return list[Math.floor(this.#next() * list.length)] as T;
  }

  /** `count` different members of `list`, in drawn order. */
  some<T>(list: readonly T[], count: number): T[] {
    const rest = [...list];
    return Array.from({ length: count }, () => rest.splice(Math.floor(this.#next() * rest.length), 1)[0] as T);
  }

  two<T>(list: readonly T[]): [T, T] {
    return this.some(list, 2) as [T, T];
  }

  three<T>(list: readonly T[]): [T, T, T] {
    return this.some(list, 3) as [T, T, T];
  }
}
