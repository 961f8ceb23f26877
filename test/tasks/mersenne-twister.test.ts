import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { MersenneTwister } from "../../tasks/mersenne-twister.ts";
import { HAS_SHARED, sharedJson } from "./shared.ts";

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

describe("MersenneTwister", () => {
  it("gives CPython's first words for lm-eval's seed", () => {
    const random = new MersenneTwister(1234);
    expect(times(5, () => random.bits(32))).toEqual([4150886329, 3342196574, 1892932127, 501869158, 32175636]);
  });

  it("draws GSM8K's first five-shot examples as lm-eval does", () => {
    const random = new MersenneTwister(1234);
    expect(times(3, () => random.sampleIndices(7473, 5))).toEqual([
      [6374, 3610, 957, 61, 742],
      [7462, 6610, 4769, 286, 5501],
      [5677, 687, 806, 6279, 2905],
    ]);
  });

  it("ignores the sign of a seed, and takes numbers and bigints alike", () => {
    expect(new MersenneTwister(-42).bits(32)).toBe(new MersenneTwister(42n).bits(32));
  });

  it("cannot draw more than there are", () => {
    expect(() => new MersenneTwister(1).sampleIndices(3, 4)).toThrow(RangeError);
  });

  test("draws without repeats, and inside the population, by either method", () => {
    const sizes = fc.integer({ min: 0, max: 3000 }).chain((size) => fc.tuple(fc.constant(size), fc.nat({ max: size })));
    fc.assert(
      fc.property(fc.maxSafeInteger(), sizes, (seed, [size, count]) => {
        const drawn = new MersenneTwister(seed).sampleIndices(size, count);
        expect(new Set(drawn).size).toBe(count);
        expect(drawn.every((index) => index >= 0 && index < size)).toBe(true);
      }),
    );
  });
});

interface RandomVectors {
  readonly getrandbits32: number[];
  readonly randbelow7473: number[];
  readonly random: number[];
  readonly sample: Readonly<Record<string, number[][]>>;
  readonly choices_range100_k10: number[];
}

describe.skipIf(!HAS_SHARED)("MersenneTwister against CPython (needs ../shared)", () => {
  const vectors = HAS_SHARED ? Object.entries(sharedJson("golden/rng.json") as Record<string, RandomVectors>) : [];

  test.each(vectors)("seed %s", (seed, expected) => {
    const fresh = (): MersenneTwister => new MersenneTwister(BigInt(seed));
    const words = fresh();
    expect(times(expected.getrandbits32.length, () => words.bits(32))).toEqual(expected.getrandbits32);
    const below = fresh();
    expect(times(expected.randbelow7473.length, () => below.below(7473))).toEqual(expected.randbelow7473);
    const floats = fresh();
    expect(times(expected.random.length, () => floats.float())).toEqual(expected.random);
    const choices = fresh();
    expect(times(10, () => Math.floor(choices.float() * 100))).toEqual(expected.choices_range100_k10);
    for (const [sizes, draws] of Object.entries(expected.sample)) {
      const [size, count] = sizes.split(",").map(Number) as [number, number];
      const random = fresh();
      expect(times(draws.length, () => random.sampleIndices(size, count))).toEqual(draws);
    }
  });

  it("draws every doc's examples, for each number of shots and seed", () => {
    const cases = sharedJson("golden/fewshot_indices.json") as {
      seed: number;
      num_fewshot: number;
      population: number;
      draws: number[][];
    }[];
    for (const { seed, num_fewshot: count, population, draws } of cases) {
      const random = new MersenneTwister(seed);
      expect(times(draws.length, () => random.sampleIndices(population, count))).toEqual(draws);
    }
    expect(cases.length).toBeGreaterThan(0);
  });
});
