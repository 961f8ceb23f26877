import { describe, expect, it } from "vitest";
import { judge } from "../../comparison/verdict.ts";
import { pairedDifference } from "../../metrics/paired.ts";
import type { JudgedParity, PairedByFilter, VariantSummary } from "../../reports/comparison.ts";
import { held } from "../reports/example.ts";

const soundParity = held.parity as JudgedParity;

/** Pairs by their cells: both right, only the baseline, only fused, both wrong. */
function paired(
  ...[bothRight, onlyBaseline, onlyFused, bothWrong]: [number, number, number, number]
): PairedByFilter[] {
  const cells: [number, 0 | 1, 0 | 1][] = [
    [bothRight, 1, 1],
    [onlyBaseline, 1, 0],
    [onlyFused, 0, 1],
    [bothWrong, 0, 0],
  ];
  const docs = cells.flatMap(([count, a, b]) => Array.from({ length: count }, () => [a, b] as const));
  return [
    {
      filter: "strict-match",
      ...pairedDifference(
        docs.map(([a]) => a),
        docs.map(([, b]) => b),
      ),
    },
  ];
}

function failing(failed: number): VariantSummary[] {
  return held.variants.map((variant) => ({
    ...variant,
    counts: { ...variant.counts, scored: variant.counts.scored - failed, failed },
    failures: [{ doc_id: 7, reason: "the prompt is too long" }],
  }));
}

function parityWith(change: (routing: JudgedParity["routing"]) => JudgedParity["routing"]): JudgedParity {
  return { ...soundParity, routing: change(soundParity.routing) };
}

describe("judge", () => {
  it("holds where nothing differs", () => {
    expect(judge(held.variants, held.paired, held.parity)).toMatchObject({ held: true, complete: true });
  });

  it("holds where as many docs were lost as won", () => {
    expect(judge(held.variants, paired(100, 5, 5, 20), soundParity).held).toBe(true);
  });

  it("does not hold where the loss lies beyond its interval, and says how large it is", () => {
    const { held: holds, reasons } = judge(held.variants, paired(160, 20, 0, 20), soundParity);
    expect(holds).toBe(false);
    expect(reasons).toEqual([
      expect.stringMatching(/^strict-match: fused is 10\.00 points lower \(95 % interval -14\.94 to -6\.57\)$/),
    ]);
  });

  it("does not hold where every doc was lost, though that has no standard error", () => {
    const { held: holds, reasons } = judge(held.variants, paired(0, 12, 0, 0), soundParity);
    expect(holds).toBe(false);
    expect(reasons).toEqual([expect.stringContaining("strict-match: fused lost every one of 12 docs")]);
  });

  it("does not hold where fused wins alone: better is no loss, but broken routing is", () => {
    expect(judge(held.variants, paired(100, 0, 20, 0), soundParity).held).toBe(true);
    const broken = {
      ...soundParity,
      invariants: { checked: 9, inAnswers: 0, broken: 2, firstBroken: "fused, doc 0, layer 1: hist" },
    };
    const { held: holds, reasons } = judge(held.variants, paired(100, 0, 20, 0), broken);
    expect(holds).toBe(false);
    expect(reasons).toEqual(["routing data: 2 invariants broken (fused, doc 0, layer 1: hist)"]);
  });

  it("does not hold where one choice is unexplained, and says which", () => {
    const parity = parityWith((routing) => ({
      ...routing,
      layers: routing.layers.map((layer, index) =>
        index === 2 ? { ...layer, tokensMismatched: 1, unexplained: 1, idsMismatched: 1 } : layer,
      ),
      firstUnexplained: { doc_id: 3, position: 40, layer: 3 },
    }));
    const { held: holds, reasons } = judge(held.variants, held.paired, parity);
    expect(holds).toBe(false);
    expect(reasons).toEqual([
      "other experts in 1 of 562,445 choices, which no near-tie explains (the first: doc 3, position 40, layer 3)",
    ]);
  });

  it("holds where near-ties went the other way, and counts them", () => {
    const parity = parityWith((routing) => ({
      ...routing,
      tokensAffected: 900,
      layers: routing.layers.map((layer) => ({ ...layer, tokensMismatched: 180, nearTies: 2, downstream: 178 })),
    }));
    const { held: holds, reasons } = judge(held.variants, held.paired, parity);
    expect(holds).toBe(true);
    expect(reasons).toContainEqual(expect.stringContaining("but for 10 near-ties of 562,445 choices"));
  });

  it("says only what was seen", () => {
    const idsOnly: JudgedParity = {
      ...parityWith((routing) => ({
        ...routing,
        marginsKnown: false,
        layers: routing.layers.map((layer) => ({ ...layer, weights: { ...layer.weights, count: 0 } })),
      })),
      invariants: { checked: 0, inAnswers: 0, broken: 0, firstBroken: null },
    };
    const reason = (parity: JudgedParity): string | undefined =>
      judge(held.variants, held.paired, parity).reasons.at(-1);
    expect(reason(idsOnly)).toBe("every token to the same experts");
    expect(reason(soundParity)).toBe("routing data sound; every token to the same experts with the same weights");
    const some = { ...idsOnly, routing: { ...idsOnly.routing, tokens: 10_000, tokensAffected: 3 } };
    expect(reason(some)).toBe("3 of 10,000 tokens to other experts, no more than rounding explains");
  });

  it("allows as many tokens with other experts as rounding explains where no margins are known, and no more", () => {
    const affected = (tokens: number, tokensAffected: number): boolean =>
      judge(
        held.variants,
        held.paired,
        parityWith((routing) => ({ ...routing, marginsKnown: false, tokens, tokensAffected })),
      ).held;
    expect([affected(10_000, 10), affected(10_000, 18), affected(10_000, 19)]).toEqual([true, true, false]);
    // One of a few is what chance does; a share that the answers could show is not.
    expect([affected(300, 1), affected(850, 4), affected(850, 8), affected(20, 2)]).toEqual([true, true, false, false]);
  });

  it.each([
    ["differ", { max: 0.01 }, /weights of the same expert differ by up to 0\.010/],
    ["differ by little", { max: 4e-5 }, /weights of the same expert differ by up to 0\.000040/],
    ["are not finite", { notFinite: 1 }, /some expert weights are not finite/],
  ])("does not hold where expert weights %s", (_what, change, reason) => {
    const parity = parityWith((routing) => ({
      ...routing,
      layers: routing.layers.map((layer, index) =>
        index === 2 ? { ...layer, weights: { ...layer.weights, ...change } } : layer,
      ),
    }));
    const { held: holds, reasons } = judge(held.variants, held.paired, parity);
    expect([holds, reasons.length]).toEqual([false, 1]);
    expect(reasons[0]).toMatch(reason);
  });

  describe("by non-inferiority", () => {
    const noRouting = { kind: "not judged" as const, reason: "the engine gives no routing" };
    const judged = (pairs: PairedByFilter[], margin?: number): ReturnType<typeof judge> =>
      judge(held.variants, pairs, noRouting, [], noRouting, ...(margin === undefined ? [] : [{ margin }]));

    it("is equivalent where the interval lies within the margin", () => {
      const verdict = judged(paired(1200, 0, 0, 119));
      expect(verdict).toMatchObject({ outcome: "equivalent", held: true, complete: true });
      expect(verdict.reasons).toEqual([
        "strict-match: 0.00 points (95 % interval -0.29 to +0.29) lies within a margin of 1 point",
      ]);
      expect(judged(paired(1200, 0, 0, 119), 0.002).outcome).toBe("inconclusive");
    });

    it("is equivalent where a loss is shown and is shown to lie within the margin, and says so", () => {
      const verdict = judged(paired(90_000, 500, 200, 9300));
      expect([verdict.outcome, verdict.held]).toEqual(["equivalent", true]);
      expect(verdict.reasons[0]).toMatch(
        /^strict-match: -0\.30 points .* a margin of 1 point; a loss is shown, but a smaller/,
      );
      expect(judged(paired(90_000, 500, 200, 9300), 0).outcome).toBe("regressed");
    });

    it("is improved where a gain is shown", () => {
      const verdict = judged(paired(100, 0, 20, 80));
      expect(verdict).toMatchObject({ outcome: "improved", held: true });
      expect(verdict.reasons[0]).toMatch(/^strict-match: fused is 10\.00 points higher/);
    });

    it.each<[string, PairedByFilter[], RegExp]>([
      ["nothing differs", paired(230, 0, 0, 20), /inconclusive at a margin of 1 point; 381 docs without a flip would/],
      [
        "little differs",
        paired(230, 1, 0, 19),
        /; about 7\d\d docs would decide it if there is no difference \(4 times/,
      ],
      [
        "more seems lost",
        paired(80, 9, 4, 7),
        /; about [\d,]+ docs would decide it if the difference is as large as it/,
      ],
    ])("is inconclusive where %s, and says how many docs would decide it", (_name, pairs, reason) => {
      const verdict = judged(pairs);
      expect(verdict).toMatchObject({ outcome: "inconclusive", held: true, complete: true });
      expect(verdict.reasons).toEqual([expect.stringMatching(reason)]);
    });

    it("corrects for several filters, and lets the least favourable speak", () => {
      const [loss] = paired(900, 31, 17, 371) as [PairedByFilter];
      const [none] = paired(1200, 0, 0, 119) as [PairedByFilter];
      const both = (other: PairedByFilter): string | undefined => judged([loss, { ...other, filter: "b" }]).outcome;
      expect(judged([loss]).outcome).toBe("regressed");
      expect(both(loss)).toBe("inconclusive");
      expect(both(none)).toBe("inconclusive");
    });
  });

  describe("by routing parity, where the answers are too few", () => {
    const few = paired(180, 0, 0, 20);
    const { logprobs } = held;
    const outcome = (parity: JudgedParity, pairs = few, probs = logprobs): string | undefined =>
      judge(held.variants, pairs, parity, [], probs).outcome;

    it("is equivalent where every level agrees and no doc flipped, and says what the answers say alone", () => {
      const verdict = judge(held.variants, few, soundParity, [], logprobs);
      expect(verdict).toMatchObject({ outcome: "equivalent", answers: { filters: [{ decision: "inconclusive" }] } });
      expect(verdict.reasons).toEqual([
        "by routing parity: routing data sound; every token to the same experts with the same weights; log-probabilities agree; no doc flipped",
        expect.stringMatching(/^by the answers alone, strict-match: 0\.00 points .* inconclusive .* 381 docs/),
      ]);
    });

    it("is not where a doc flipped, or a level was not seen, or log-probabilities lie apart, or tokens are few", () => {
      expect(outcome(soundParity, paired(180, 1, 0, 19))).toBe("inconclusive");
      const unseen = { checked: 0, inAnswers: 0, broken: 0, firstBroken: null };
      expect(outcome({ ...soundParity, invariants: unseen })).toBe("inconclusive");
      expect(outcome(parityWith((routing) => ({ ...routing, marginsKnown: false })))).toBe("inconclusive");
      const weightless = parityWith((routing) => ({
        ...routing,
        layers: routing.layers.map((layer) => ({ ...layer, weights: { ...layer.weights, count: 0 } })),
      }));
      expect(outcome(weightless)).toBe("inconclusive");
      expect(outcome(parityWith((routing) => ({ ...routing, tokens: 999 })))).toBe("inconclusive");
      const apart = { kind: "judged" as const, docs: 9, count: 1000, sum: 2, max: 0.1, notFinite: 0 };
      expect(outcome(soundParity, few, apart)).toBe("inconclusive");
      expect(outcome(soundParity, few, { kind: "not judged", reason: "none" })).toBe("inconclusive");
    });

    it("never outweighs the answers where these decide", () => {
      expect(outcome(soundParity, paired(160, 20, 0, 20))).toBe("regressed");
    });
  });

  it("is incomplete where docs failed, and speaks of the others", () => {
    const verdict = judge(failing(3), held.paired, held.parity);
    expect(verdict).toMatchObject({ held: true, complete: false });
    expect(verdict.reasons).toContain("baseline: 3 of 200 docs have no answer (doc 7: the prompt is too long)");
  });

  it("does not hold where nothing was compared", () => {
    const { parity } = { parity: { kind: "not judged" as const, reason: "no doc was completed by both variants" } };
    expect(judge(failing(198), paired(0, 0, 0, 0), parity)).toMatchObject({ held: false, complete: false });
  });

  it("has nothing to compare of one variant", () => {
    const alone = held.variants.slice(0, 1);
    const parity = { kind: "not judged" as const, reason: "one variant only" };
    expect(judge(alone, [], parity)).toEqual({ held: true, complete: true, reasons: [] });
  });
});
