import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SelectOptions, selectExperts } from "../../../engine/routing/select-experts.ts";
import { UserError } from "../../../errors.ts";

interface Case {
  readonly name: string;
  readonly options: SelectOptions;
  readonly logits: readonly number[];
  readonly bias: readonly number[] | null;
  readonly topkIds: readonly number[];
  readonly topkWeights: readonly number[];
}
const fixture = new URL("../../fixtures/routing/select-experts.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, "utf8")) as { cases: Case[] };

const BASE: SelectOptions = {
  nTokens: 1,
  nExpertsTot: 4,
  nExpertsAct: 2,
  scoring: "sigmoid",
  renormalize: false,
  scale: 1,
};

describe("agrees with torch", () => {
  test.each(cases.map((c) => [c.name, c] as const))("%s", (_, { options, logits, bias, topkIds, topkWeights }) => {
    const correctionBias = bias === null ? undefined : Float32Array.from(bias);
    const selection = selectExperts(Float32Array.from(logits), { ...options, correctionBias });
    expect([...selection.topkIds]).toEqual(topkIds);
    const errors = topkWeights.map(
      (weight, i) => Math.abs((selection.topkWeights[i] ?? NaN) - weight) / Math.abs(weight),
    );
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });
});

describe("the correction bias", () => {
  test("selects but does not weigh", () => {
    const logits = Float32Array.of(0, 1, 2, 3);
    const { topkIds, topkWeights } = selectExperts(logits, { ...BASE, correctionBias: Float32Array.of(9, 0, 0, 0) });
    expect([...topkIds]).toEqual([0, 3]);
    expect(topkWeights[0]).toBe(0.5);
    expect(topkWeights[1]).toBeCloseTo(1 / (1 + Math.exp(-3)), 6);
  });

  test("may be negative without letting in experts of dropped groups", () => {
    const options = { ...BASE, nGroup: 2, topkGroup: 1, correctionBias: Float32Array.of(-5, -5, -6, -6) };
    expect([...selectExperts(Float32Array.of(0, 0, 0, 0), options).topkIds]).toEqual([0, 1]);
  });
});

describe("ties", () => {
  test("the lowest id wins unless asked otherwise, among experts and among groups", () => {
    const logits = new Float32Array(4);
    expect([...selectExperts(logits, BASE).topkIds]).toEqual([0, 1]);
    expect([...selectExperts(logits, { ...BASE, ties: "highest" }).topkIds]).toEqual([3, 2]);
    const grouped = { ...BASE, nGroup: 2, topkGroup: 1, nExpertsAct: 1 } as const;
    expect([...selectExperts(logits, grouped).topkIds]).toEqual([0]);
    expect([...selectExperts(logits, { ...grouped, ties: "highest" }).topkIds]).toEqual([3]);
  });

  test("scores that differ only beyond float32 are ties", () => {
    // Both sigmoids round to 1 in float32.
    expect([...selectExperts(Float32Array.of(30, 40, 0, 0), BASE).topkIds]).toEqual([0, 1]);
  });
});

describe("degenerate rows", () => {
  test("sigmoid and sqrt-softplus of a masked row are 0, and 0 / 0 renormalises to 0", () => {
    const logits = new Float32Array(4).fill(-Infinity);
    for (const scoring of ["sigmoid", "sqrtsoftplus"] as const) {
      const { topkIds, topkWeights } = selectExperts(logits, { ...BASE, scoring, renormalize: true });
      expect([...topkIds]).toEqual([0, 1]);
      expect([...topkWeights]).toEqual([0, 0]);
    }
  });

  test("very negative rows renormalise to 1", () => {
    for (const scoring of ["sigmoid", "sqrtsoftplus", "softmax"] as const) {
      const logits = Float32Array.of(-40, -40, -40, -40);
      const { topkWeights } = selectExperts(logits, { ...BASE, scoring, renormalize: true });
      expect(topkWeights[0]).toBeCloseTo(0.5, 2);
    }
  });

  test("NaN ranks below every number", () => {
    const { topkIds, topkWeights } = selectExperts(Float32Array.of(NaN, -Infinity, NaN, -50), BASE);
    expect([...topkIds]).toEqual([3, 1]);
    expect(topkWeights.every(Number.isFinite)).toBe(true);
    expect([...selectExperts(Float32Array.of(NaN, 0, NaN, NaN), BASE).topkIds]).toEqual([1, 0]);
  });

  test("softmax of a row that holds NaN or +inf, or only -inf, shows it in the weights", () => {
    for (const row of [
      [NaN, 0, 0, 0],
      [Infinity, 0, 0, 0],
      [-Infinity, -Infinity, -Infinity, -Infinity],
    ]) {
      const { topkIds, topkWeights } = selectExperts(Float32Array.from(row), { ...BASE, scoring: "softmax" });
      expect(new Set(topkIds).size).toBe(2);
      expect(topkWeights.some(Number.isNaN)).toBe(true);
    }
  });

  test("large logits overflow nothing", () => {
    const logits = Float32Array.of(1e30, -1e30, 88, -88);
    expect([...selectExperts(logits, { ...BASE, scoring: "sqrtsoftplus" }).topkWeights]).toEqual([
      Math.fround(Math.sqrt(Math.fround(1e30))),
      Math.fround(Math.sqrt(88)),
    ]);
    expect([...selectExperts(logits, { ...BASE, scoring: "softmax" }).topkWeights]).toEqual([1, 0]);
  });
});

describe("any row", () => {
  const anyLogit = fc.oneof(
    fc.float(),
    fc.float({ min: -8, max: 8, noNaN: true }),
    fc.constantFrom(0, 1, NaN, Infinity, -Infinity),
  );

  test("gives distinct ids in range, whose choices are the K largest, best first, lowest id first", () => {
    fc.assert(
      fc.property(
        fc.array(anyLogit, { minLength: 1, maxLength: 64 }),
        fc.nat(16),
        fc.constantFrom("softmax", "sigmoid", "sqrtsoftplus"),
        fc.constantFrom("lowest", "highest"),
        (row, k, scoring, ties) => {
          const total = row.length;
          const nExpertsAct = Math.min(k, total);
          const all = { nTokens: 1, nExpertsTot: total, scoring, ties, renormalize: false, scale: 1 } as const;
          const logits = Float32Array.from(row);
          // Choosing every expert gives every score; a plain sort of those is the independent answer.
          const every = selectExperts(logits, { ...all, nExpertsAct: total });
          const score = new Float32Array(total);
          every.topkIds.forEach((id, slot) => (score[id] = every.topkWeights[slot] ?? NaN));
          const rank = (id: number): number => (Number.isNaN(score[id]) ? -1 : (score[id] ?? 0));
          const byId = (a: number, b: number): number => (ties === "lowest" ? a - b : b - a);
          const expected = row
            .map((_, id) => id)
            .toSorted((a, b) => (rank(b) > rank(a) ? 1 : rank(b) < rank(a) ? -1 : byId(a, b)));
          expect([...every.topkIds].toSorted((a, b) => a - b)).toEqual(row.map((_, id) => id));
          expect([...selectExperts(logits, { ...all, nExpertsAct }).topkIds]).toEqual(expected.slice(0, nExpertsAct));
        },
      ),
    );
  });
});

describe("the router margin", () => {
  const marginOf = (logits: Float32Array, options: Partial<SelectOptions>): number | undefined =>
    selectExperts(logits, { ...BASE, margins: true, ...options }).margins?.[0];

  test("is how far the last one chosen stands above the first one left out, bias included", () => {
    const correctionBias = Float32Array.of(0.5, 0.25, 0.125, 0.0625);
    expect(marginOf(new Float32Array(4), { correctionBias })).toBe(0.125);
    expect(marginOf(new Float32Array(4), {})).toBe(0);
  });

  test("is that of the groups where these are closer", () => {
    const logits = Float32Array.of(3, -3, 2.875, -3);
    const [first, , second] = [0, 1, 2].map((i) => Math.fround(1 / (1 + Math.exp(-(logits[i] as number)))));
    const options = { nGroup: 2, topkGroup: 1, nExpertsAct: 1 } as const;
    expect(marginOf(logits, options)).toBeCloseTo((first as number) - (second as number), 6);
    // Inside the group that was kept, the other expert is far away; where all of it is chosen, nothing else can be.
    expect(marginOf(logits, { ...options, nExpertsAct: 2 })).toBeCloseTo((first as number) - (second as number), 6);
  });

  test("is infinite where nothing is left out, NaN where a NaN was chosen, and absent unless asked for", () => {
    expect(marginOf(new Float32Array(4), { nExpertsAct: 4 })).toBe(Infinity);
    expect(marginOf(Float32Array.of(NaN, NaN, NaN, 0), {})).toBe(NaN);
    expect(selectExperts(new Float32Array(4), BASE).margins).toBeUndefined();
  });

  test("a choice survives any change of the scores that is smaller than half of it, and not a larger one", () => {
    const row = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 12 });
    fc.assert(
      fc.property(row, fc.nat(), (values, pick) => {
        const logits = new Float32Array(values.length);
        const bias = Float32Array.from(values);
        const nExpertsAct = 1 + (pick % (values.length - 1));
        const options = { nExpertsTot: values.length, nExpertsAct };
        const chosen = (correctionBias: Float32Array): Set<number> =>
          new Set(selectExperts(logits, { ...BASE, ...options, correctionBias }).topkIds);
        const before = chosen(bias);
        const margin = marginOf(logits, { ...options, correctionBias: bias }) as number;
        const moved = (by: number): Set<number> =>
          chosen(bias.map((value, id) => (before.has(id) ? value - by * margin : value + by * margin)));
        fc.pre(margin > 1e-4);
        expect(moved(0.49)).toEqual(before);
        expect(moved(0.51)).not.toEqual(before);
      }),
    );
  });
});

describe("buffers and bad options", () => {
  test("given buffers are filled and returned", () => {
    const out = { topkIds: new Int32Array(2), topkWeights: new Float32Array(2) };
    expect(selectExperts(Float32Array.of(0, 1, 2, 3), BASE, out)).toBe(out);
    expect([...out.topkIds]).toEqual([3, 2]);
    expect(() => selectExperts(Float32Array.of(0, 1, 2, 3), { ...BASE, nExpertsAct: 3 }, out)).toThrow(RangeError);
  });

  test("no tokens, and no experts per token, are empty selections", () => {
    expect(selectExperts(new Float32Array(0), { ...BASE, nTokens: 0 }).topkIds).toHaveLength(0);
    expect(selectExperts(new Float32Array(4), { ...BASE, nExpertsAct: 0 }).topkIds).toHaveLength(0);
  });

  test.each<[string, Partial<SelectOptions>, RegExp]>([
    ["logits of another size", { nTokens: 2 }, /2 x 4 were expected; found 4 values/],
    ["more experts than there are", { nExpertsAct: 5 }, /at most 4.*found 5/],
    ["more experts than the kept groups hold", { nExpertsAct: 3, nGroup: 2, topkGroup: 1 }, /at most 2.*found 3/],
    ["groups that do not divide", { nGroup: 3 }, /n_group 3, n_expts_tot 4/],
    ["more groups kept than there are", { nGroup: 2, topkGroup: 3 }, /between 1 and n_group 2; found 3/],
    ["a bias of another size", { correctionBias: new Float32Array(3) }, /needs 4 values.*found 3/],
    ["softmax after top-k of sigmoids", { softmaxAfterTopk: true }, /softmax scoring/],
    ["a scale that is no number", { scale: NaN }, /finite; found NaN/],
  ])("%s: a UserError", (_, change, message) => {
    const run = (): unknown => selectExperts(new Float32Array(4), { ...BASE, ...change });
    expect(run).toThrow(UserError);
    expect(run).toThrow(message);
  });
});
