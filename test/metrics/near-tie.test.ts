/** `mayBeChosen` against oracles that have all scores, try everything, and share no code with it. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { selectExperts } from "../../engine/routing/select-experts.ts";
import type { SelectOptions } from "../../engine/routing/select-experts.ts";
import { mayBeChosen } from "../../metrics/near-tie.ts";
import type { ChoiceRule } from "../../metrics/near-tie.ts";
import { compareRouting } from "../../metrics/routing-parity.ts";
import type { RoutingCapture } from "../../metrics/routing-parity.ts";

interface Case {
  readonly scores: readonly number[];
  readonly rule: ChoiceRule;
  readonly k: number;
  readonly tolerance: number;
}

/** Small whole scores, so that sums are exact and experts and groups tie, or nearly do, all the time. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    nGroup: fc.constantFrom(1, 2, 4),
    topkGroup: fc.integer({ min: 1, max: 4 }),
    groupScore: fc.constantFrom("best" as const, "best two" as const),
    k: fc.integer({ min: 1, max: 4 }),
    tolerance: fc.constantFrom(0, 4, 8),
    scores: fc.array(fc.integer({ min: 0, max: 24 }), { minLength: 8, maxLength: 8 }),
  })
  .map(({ nGroup, topkGroup, groupScore, k, tolerance, scores }) => {
    const kept = Math.min(topkGroup, nGroup);
    return {
      scores,
      k: Math.min(k, (scores.length / nGroup) * kept),
      tolerance,
      rule: { nGroup, topkGroup: kept, groupScore },
    };
  });

function subsets(n: number, size: number): number[][] {
  if (size === 0) return [[]];
  return Array.from({ length: n }, (_, last) => last).flatMap((last) =>
    subsets(last, size - 1).map((rest) => rest.concat(last)),
  );
}

function groupScoreOf(scores: readonly number[], group: number, { nGroup, groupScore }: ChoiceRule): number {
  const size = scores.length / nGroup;
  const own = scores.slice(group * size, (group + 1) * size).toSorted((a, b) => b - a);
  return groupScore === "best two" ? own[0]! + (own[1] ?? 0) : own[0]!;
}

const groupOf = (expert: number, { scores, rule }: Case): number => Math.floor(expert / (scores.length / rule.nGroup));

/** The rule's own words, for every set of groups. */
function byDefinition(of: Case, chosen: readonly number[]): boolean {
  const { scores, rule, tolerance } = of;
  const groups = Array.from({ length: rule.nGroup }, (_, group) => groupScoreOf(scores, group, rule));
  return subsets(rule.nGroup, rule.topkGroup).some((kept) => {
    const isKept = (expert: number): boolean => kept.includes(groupOf(expert, of));
    if (!chosen.every(isKept)) return false;
    const groupsFit = groups.every(
      (score, group) => kept.includes(group) || kept.every((g) => groups[g]! >= score - tolerance),
    );
    const expertsFit = scores.every(
      (score, expert) =>
        chosen.includes(expert) || !isKept(expert) || chosen.every((e) => scores[e]! >= score - tolerance),
    );
    return groupsFit && expertsFit;
  });
}

/** All sets that a router may choose by these very scores, ties broken in any way. */
function choices(of: Case, scores: readonly number[]): string[] {
  const exact = { ...of, scores, tolerance: 0 };
  return subsets(scores.length, of.k)
    .filter((chosen) => byDefinition(exact, chosen))
    .map(String);
}

function judge({ scores, rule, k, tolerance }: Case, ids: readonly number[]): boolean {
  return mayBeChosen(scores, rule, { ids: [99, ...ids], start: 1, k, tolerance });
}

describe("mayBeChosen", () => {
  it("is its definition, for every set of experts", () => {
    fc.assert(
      fc.property(cases, (of) => {
        for (const chosen of subsets(8, of.k))
          expect(judge(of, chosen.toReversed()), String(chosen)).toBe(byDefinition(of, chosen));
      }),
      { numRuns: 300 },
    );
  });

  it("excuses whatever noise within the tolerance makes of the choice", () => {
    const noise = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(cases, noise, (of, by) => {
        // Each of two groups' sums moves by up to twice as much as a score.
        const most = of.tolerance / (of.rule.nGroup > 1 && of.rule.groupScore === "best two" ? 4 : 2);
        const noisy = of.scores.map((score, expert) => score + by[expert]! * most);
        for (const chosen of choices(of, noisy)) expect(judge(of, chosen.split(",").map(Number)), chosen).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("excuses nothing else: some noise within the tolerance makes exactly that choice", () => {
    fc.assert(
      fc.property(cases, (of) => {
        const { scores, rule, tolerance } = of;
        for (const chosen of subsets(8, of.k).filter((each) => judge(of, each))) {
          const possible = subsets(rule.nGroup, rule.topkGroup).some((kept) => {
            const moved = scores.map((score, expert) => {
              const group = kept.includes(groupOf(expert, of)) ? tolerance / 2 : -tolerance / 2;
              return score + group / (rule.nGroup > 1 ? 1 : 2) + (chosen.includes(expert) ? tolerance : 0);
            });
            // Shifting all scores alike changes no choice: at most one tolerance either way.
            return choices(of, moved).includes(String(chosen));
          });
          expect(possible, String(chosen)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("ties with no NaN, no id that is none, and no expert twice", () => {
    const rule = { nGroup: 1, topkGroup: 1, groupScore: "best" } as const;
    const ask = (scores: readonly number[], ids: readonly number[]): boolean =>
      mayBeChosen(scores, rule, { ids, start: 0, k: ids.length, tolerance: 1 });
    expect(ask([1, 1, 1], [0, 2])).toBe(true);
    expect(ask([1, 1, NaN], [0, 2])).toBe(false);
    expect(ask([1, 1, NaN], [0, 1])).toBe(false);
    expect(ask([1, 1, 1], [0, 3])).toBe(false);
    expect(ask([1, 1, 1], [0, 0])).toBe(false);
    // Nothing is left out.
    expect(ask([1, 5], [0, 1])).toBe(true);
  });
});

describe("compareRouting with the scores of close choices", () => {
  const OPTIONS: SelectOptions = {
    nTokens: 1,
    nExpertsTot: 8,
    nExpertsAct: 4,
    scoring: "softmax",
    softmaxAfterTopk: true,
    renormalize: true,
    scale: 1,
    margins: true,
  };

  /** What the router makes of these logits, as a capture with or without the scores. */
  function capture(logits: readonly number[], change: Partial<SelectOptions> = {}, scores = true): RoutingCapture {
    const options = { ...OPTIONS, ...change };
    const { topkIds, margins, closeScores } = selectExperts(Float32Array.from(logits), options);
    const { nGroup = 1, topkGroup = nGroup } = options;
    const rule = { nGroup, topkGroup, groupScore: "best" } as const;
    const close = { rule, of: (row: number) => closeScores?.get(row) };
    return { ids: topkIds, margins, ...(scores && { close: () => close }) };
  }

  function cause(baseline: RoutingCapture, fused: RoutingCapture): string {
    const parity = compareRouting({ docId: 0, layers: [1], nTokens: 1, k: 4, baseline, fused });
    const { nearTies, unexplained } = parity.layers[0]!;
    return nearTies === 1 ? "near-tie" : unexplained === 1 ? "unexplained" : "same";
  }

  const TINY = 1e-6;
  /** Experts 2 to 5 tie for the last two places. */
  const tied = [5, 4, 1, 1, 1, 1, 0, 0];

  it("several experts may tie", () => {
    const other = [5, 4, 1, 1, 1 + TINY, 1 + TINY, 0, 0];
    expect(cause(capture(tied), capture(other))).toBe("near-tie");
    // Margins alone vouch for one.
    expect(cause(capture(tied, {}, false), capture(other, {}, false))).toBe("unexplained");
    expect(cause(capture(tied, {}, false), capture([5, 4, 1, 1, 1 + TINY, 1, 0, 0], {}, false))).toBe("near-tie");
  });

  it("an expert that is not among those that tie is a fault, however small both margins are", () => {
    const wrong = { ...capture(tied), ids: Int32Array.of(0, 1, 2, 6) };
    expect(cause(capture(tied), wrong)).toBe("unexplained");
    // Each side's scores are asked.
    const { close: _, ...without } = wrong;
    expect(cause(capture(tied), without)).toBe("unexplained");
    expect(cause(without, capture(tied))).toBe("unexplained");
    // The best expert of all is pushed out by one of those that tie.
    expect(cause(capture(tied), { ...capture(tied), ids: Int32Array.of(1, 2, 3, 4) })).toBe("unexplained");
  });

  it("a margin that is not small on both sides is no tie, whatever the scores say", () => {
    const other = { ...capture([5, 4, 1, 1, 1, 1 + TINY, 0, 0]), margins: [0.5] };
    expect(cause(capture(tied), other)).toBe("unexplained");
    expect(cause(other, capture(tied))).toBe("unexplained");
  });

  it("whole groups may tie", () => {
    const grouped = { nGroup: 4, topkGroup: 2, nExpertsAct: 4 };
    // Groups 1 and 2 tie for the second place by their best; their other experts lie far apart.
    const logits = [9, 8, 5, 1, 5, 3, 0, 0];
    const other = [9, 8, 5, 1, 5 + TINY, 3, 0, 0];
    expect(capture(logits, grouped).ids).not.toEqual(capture(other, grouped).ids);
    expect(cause(capture(logits, grouped), capture(other, grouped))).toBe("near-tie");
    // Of a group that ties, the best experts are to be taken; and a group that does not tie stays out.
    expect(cause(capture(logits, grouped), { ...capture(other, grouped), ids: Int32Array.of(0, 1, 4, 2) })).toBe(
      "unexplained",
    );
    expect(cause(capture(logits, grouped), { ...capture(other, grouped), ids: Int32Array.of(0, 1, 6, 7) })).toBe(
      "unexplained",
    );
  });
});
