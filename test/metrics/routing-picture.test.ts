import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LoadTally } from "../../metrics/expert-load.ts";
import { MarginTally } from "../../metrics/margin-histogram.ts";
import { RoutingComparison } from "../../metrics/routing-comparison.ts";
import { PictureTally } from "../../metrics/routing-picture.ts";
import type { RoutingPicture } from "../../metrics/routing-picture.ts";

const LAYERS = [1, 4];
const K = 3;
const SHAPE = { layers: LAYERS, k: K, nExpertsTot: 6, nearTieMargin: 0.5, weightTolerance: 0.25 };

interface Side {
  readonly ids: readonly (readonly number[])[];
  readonly weights: readonly (readonly number[])[];
}
interface Case {
  readonly a: Side;
  readonly b: Side;
  readonly margins: readonly (readonly number[])[];
}

/** One doc, compared in blocks of so many tokens. */
function pictureOf({ a, b, margins }: Case, blockTokens: number): RoutingPicture {
  const picture = new PictureTally(SHAPE);
  const comparison = new RoutingComparison({ ...SHAPE, marginsKnown: true, observer: picture });
  const tokens = margins[0]!.length;
  for (let from = 0; from < tokens; from += blockTokens) {
    const to = Math.min(from + blockTokens, tokens);
    comparison.beginBlock([{ docId: 7, start: 0, end: to - from, position: from, begins: from === 0 }]);
    for (const index of LAYERS.keys()) {
      const rows = ({ ids, weights }: Side) => ({
        ids: ids[index]!.slice(from * K, to * K),
        weights: weights[index]!.slice(from * K, to * K),
        margins: margins[index]!.slice(from, to),
      });
      comparison.compareLayer(index, rows(a), rows(b));
    }
    comparison.endBlock();
  }
  return picture.result();
}

/** So many tokens that all chose experts 0, 1, 2 with weight 1 and margin 1. */
function sound(tokens: number): Case {
  const side = (): Side => ({
    ids: LAYERS.map(() => Array.from({ length: tokens }, () => [0, 1, 2]).flat()),
    weights: LAYERS.map(() => Array.from({ length: tokens * K }, () => 1)),
  });
  return { a: side(), b: side(), margins: LAYERS.map(() => Array.from({ length: tokens }, () => 1)) };
}

type Change = (b: { ids: number[][]; weights: number[][] }, margins: number[][]) => void;

function changed(tokens: number, change: Change): RoutingPicture {
  const copy = structuredClone(sound(tokens)) as {
    a: Side;
    b: { ids: number[][]; weights: number[][] };
    margins: number[][];
  };
  change(copy.b, copy.margins);
  return pictureOf(copy, tokens);
}

describe("the worst tokens", () => {
  test("none where nothing differs beyond the tolerance", () => {
    expect(changed(5, (b) => (b.weights[0]![4] = 1.2)).worst).toEqual([]);
  });

  test("a swapped expert, with both sides and the weight that went elsewhere", () => {
    const { worst } = changed(5, (b) => {
      b.ids[1]![3 * K + 2] = 5;
      b.weights[1]![3 * K + 2] = 0.5;
    });
    expect(worst).toEqual([
      {
        doc_id: 7,
        position: 3,
        layer: 4,
        cause: "unexplained",
        swapped: 1,
        weightMoved: 0.75,
        baseline: { ids: [0, 1, 2], weights: [1, 1, 1], margin: 1 },
        fused: { ids: [0, 1, 5], weights: [1, 1, 0.5], margin: 1 },
      },
    ]);
  });

  test("are ordered by cause, then by the weight that moved, then by place; each token once", () => {
    const { worst } = changed(9, (b, margins) => {
      // In the upper layer alone, so that nothing is downstream of it.
      for (const token of [2, 5]) b.ids[1]![token * K] = 5;
      b.weights[1]![5 * K] = 3;
      b.weights[1]![7 * K] = 9;
      b.weights[0]![7 * K] = 8;
      b.ids[1]![8 * K] = 4;
      margins[1]![8] = 0.1;
    });
    expect(worst.map(({ position, layer, cause, weightMoved }) => [position, layer, cause, weightMoved])).toEqual([
      [5, 4, "unexplained", 2],
      [2, 4, "unexplained", 1],
      [7, 4, "weights", 4],
      [8, 4, "nearTies", 1],
    ]);
  });

  test("what follows from a mismatch comes last, and a weight that is no number first of its kind", () => {
    const { worst } = changed(4, (b) => {
      b.weights[0]![0] = 5;
      b.weights[0]![K] = Number.NaN;
      b.ids[0]![2 * K] = 5;
      for (const token of [2, 3]) b.ids[1]![token * K] = 4;
    });
    expect(worst.map(({ position, layer, cause, weightMoved }) => [position, layer, cause, weightMoved])).toEqual([
      [2, 1, "unexplained", 1],
      [1, 1, "weights", null],
      [0, 1, "weights", 2],
      [3, 4, "downstream", 1],
    ]);
    expect(worst[1]?.fused.weights).toEqual([null, 1, 1]);
  });

  test("ten at most, the worst of them all", () => {
    const { worst } = changed(200, (b) => {
      for (let token = 0; token < 200; token++) b.weights[1]![token * K] = 2 + ((token * 37) % 200);
    });
    expect(worst.map(({ weightMoved }) => weightMoved)).toEqual(Array.from({ length: 10 }, (_, i) => (200 - i) / 2));
  });
});

const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 24 }).chain((tokens) => {
  const perLayer = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { minLength: 2, maxLength: 2 });
  const row = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: K, maxLength: K });
  const rows = fc.array(row, { minLength: tokens, maxLength: tokens }).map((all) => all.flat());
  const numbers = (of: readonly number[], length: number): fc.Arbitrary<number[]> =>
    fc.array(fc.constantFrom(...of), { minLength: length, maxLength: length });
  const side = fc.record({ ids: perLayer(rows), weights: perLayer(numbers([0, 0.5, 1], tokens * K)) });
  return fc.record({ a: side, b: side, margins: perLayer(numbers([0, 1e-3, 1], tokens)) });
});

test("a picture does not depend on how the tokens are cut into blocks", () => {
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 7 }), (of, blockTokens) => {
      expect(pictureOf(of, blockTokens)).toEqual(pictureOf(of, 1000));
    }),
  );
});

test("every choice is in one bin, every mismatch under one cause, every entry with one expert", () => {
  fc.assert(
    fc.property(cases, (of) => {
      const { margins, load } = pictureOf(of, 5);
      const choices = of.margins.flat().length;
      const all = [...margins!.bins, margins!.zero, margins!.other];
      expect(all.reduce((sum, bin) => sum + bin.choices, 0)).toBe(choices);
      for (const bin of all) expect(bin.nearTies + bin.downstream + bin.unexplained).toBeLessThanOrEqual(bin.choices);
      const differing = LAYERS.flatMap((_, index) =>
        of.margins[index]!.map((__, token) => {
          const set = ({ ids }: Side): string =>
            ids[index]!.slice(token * K, (token + 1) * K)
              .toSorted((one, two) => one - two)
              .join();
          return set(of.a) === set(of.b) ? 0 : 1;
        }),
      ).reduce<number>((sum, one) => sum + one, 0);
      expect(all.reduce((sum, bin) => sum + bin.nearTies + bin.downstream + bin.unexplained, 0)).toBe(differing);
      for (const [side, ids] of [
        ["baseline", of.a.ids],
        ["fused", of.b.ids],
      ] as const)
        for (const index of LAYERS.keys())
          expect(load!.counts![side][index]).toEqual(
            [0, 1, 2, 3, 4, 5].map((id) => ids[index]!.filter((own) => own === id).length),
          );
    }),
  );
});

describe("margins", () => {
  test("four bins to a factor of ten; what has no logarithm is counted apart", () => {
    const tally = new MarginTally();
    tally.addChoices([1e-5, 1.5e-5, 1.8e-5, 0.5, 0, -1, Number.NaN, Infinity]);
    tally.addMismatch(0, "nearTies");
    tally.addMismatch(0.5, "unexplained");
    const none = { nearTies: 0, downstream: 0, unexplained: 0 };
    expect(tally.result()).toEqual({
      bins: [
        { from: 1e-5, to: 1.78e-5, choices: 2, ...none },
        { from: 1.78e-5, to: 3.16e-5, choices: 1, ...none },
        { from: 0.316, to: 0.562, choices: 1, ...none, unexplained: 1 },
      ],
      zero: { choices: 1, ...none, nearTies: 1 },
      other: { choices: 3, ...none },
    });
  });

  test("any float32 has a bin that holds it, and there are few bins", () => {
    const tally = new MarginTally();
    fc.assert(
      fc.property(fc.float({ min: Math.fround(1e-44), noNaN: true, noDefaultInfinity: true }), (margin) => {
        const own = new MarginTally();
        own.addChoices([margin]);
        tally.addChoices([margin]);
        const [bin] = own.result().bins;
        expect(margin).toBeGreaterThanOrEqual(bin!.from * 0.99);
        expect(margin).toBeLessThanOrEqual(bin!.to * 1.01);
      }),
    );
    expect(tally.result().bins.length).toBeLessThan(400);
  });
});

describe("expert load", () => {
  test("the busiest expert, those without a token, and what changed", () => {
    const tally = new LoadTally({ layers: [3], nExpertsTot: 4 });
    tally.add(0, [0, 1, 1, 1], [0, 1, 1, 3]);
    tally.add(0, [2, 1, 1, 1], [2, 1, 1, 1]);
    expect(tally.result()).toEqual({
      nExpertsTot: 4,
      layers: [
        {
          layer: 3,
          baseline: { most: 6, busiest: 1, least: 0, empty: 1, imbalance: 3 },
          fused: { most: 5, busiest: 1, least: 1, empty: 0, imbalance: 2.5 },
          change: { expert: 1, tokens: -1 },
        },
      ],
      counts: { baseline: [[1, 6, 1, 0]], fused: [[1, 5, 1, 1]] },
    });
  });

  test("ids out of range are nobody's load, least of all the next layer's", () => {
    const tally = new LoadTally({ layers: [0, 1], nExpertsTot: 2 });
    tally.add(0, [0, 2, -1, 3], [0, 1, 65_535]);
    expect(tally.result()?.counts).toEqual({
      baseline: [
        [1, 0],
        [0, 0],
      ],
      fused: [
        [1, 1],
        [0, 0],
      ],
    });
  });

  test("of more experts than a file should list only the extremes are handed on, and absurdly many are not counted", () => {
    const many = new LoadTally({ layers: Array.from({ length: 200 }, (_, layer) => layer), nExpertsTot: 512 });
    expect(many.result()).toMatchObject({ counts: null, layers: { length: 200 } });
    const absurd = new LoadTally({ layers: Array.from({ length: 4096 }, (_, layer) => layer), nExpertsTot: 65_535 });
    absurd.add(4095, [1], [2]);
    expect(absurd.result()).toBeNull();
  });
});
