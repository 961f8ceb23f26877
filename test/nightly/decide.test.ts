import seedrandom from "seedrandom";
import { describe, expect, it } from "vitest";
import { pairedDifference } from "../../metrics/paired.ts";
import { decide, worst } from "../../nightly/decide.ts";
import type { Look } from "../../nightly/decide.ts";

/** Docs that only one variant got right, by id. */
function look(n: number, onlyBaseline: readonly number[], onlyFused: readonly number[], filter = "f"): Look {
  const baseline = Array.from({ length: n }, (_, id): 0 | 1 => (onlyFused.includes(id) ? 0 : 1));
  const fused = Array.from({ length: n }, (_, id): 0 | 1 => (onlyBaseline.includes(id) ? 0 : 1));
  const marked = (exact: 0 | 1): { extracted: null; exact_match: 0 | 1 } => ({ extracted: null, exact_match: exact });
  const flip = (doc_id: number, a: 0 | 1): Look["flips"][number] => ({
    doc_id,
    filter,
    baseline: marked(a),
    fused: marked(a === 1 ? 0 : 1),
  });
  return {
    paired: [{ filter, ...pairedDifference(baseline, fused) }],
    flips: [...onlyBaseline.map((id) => flip(id, 1)), ...onlyFused.map((id) => flip(id, 0))],
  };
}

const ids = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

describe("one look", () => {
  it("has the interval of the paired difference", () => {
    const run = look(1319, ids(20), ids(9, 100));
    const [decision] = decide([run], { margin: 0.01, looks: 1 });
    const { difference } = run.paired[0]!;
    expect(difference).toMatchObject({ delta: decision!.delta, low: decision!.low, high: decision!.high });
  });

  it.each([
    ["within the margin", look(1319, ids(3), ids(3, 10))],
    ["within the margin", look(1319, [], [])],
    ["inconclusive", look(1319, ids(20), ids(15, 100))],
    ["inconclusive", look(100, [], [])],
    ["regressed", look(1319, ids(40), ids(5, 100))],
    ["inconclusive", look(1, [], [])],
    ["inconclusive", look(0, [], [])],
    ["regressed", look(50, ids(50), [])],
    ["inconclusive", look(2, ids(2), [])],
    // A normal interval alone would say regressed: -4.0 points, -7.9 to -0.1.
    ["inconclusive", look(100, ids(4), [])],
    ["regressed", look(100, ids(5), [])],
  ] as const)("is %s", (expected, run) => {
    expect(decide([run], { margin: 0.01, looks: 1 })[0]!.decision).toBe(expected);
  });

  it("is wider where more looks were planned", () => {
    const run = look(1319, ids(20), ids(9, 100));
    const width = (looks: number): number => {
      const [{ low, high } = { low: 0, high: 0 }] = decide([run, run], { margin: 0.01, looks });
      return high - low;
    };
    // qnorm(1 - 0.025 / 3) / qnorm(0.975)
    expect(width(3) / width(1)).toBeCloseTo(2.39398 / 1.95996, 4);
  });
});

describe("several looks", () => {
  it("take a doc's mean: one that differs every time counts as one doc, not as three", () => {
    const run = look(1000, ids(10), ids(2, 100));
    const [once] = decide([run, run], { margin: 0.01, looks: 3 });
    const [thrice] = decide([run, run, run], { margin: 0.01, looks: 3 });
    expect(thrice).toMatchObject({ delta: once!.delta, runs: 3, n: 1000 });
    expect(thrice!.high - thrice!.low).toBeCloseTo(once!.high - once!.low, 12);
  });

  it("tell what is chance in one run from what stays", () => {
    const runs = [0, 1, 2].map((run) => look(1000, ids(8, 50 * run), ids(8, 50 * run + 10)));
    const [one] = decide([runs[0]!], { margin: 0.006, looks: 3 });
    const [all] = decide([runs[0]!, runs[1]!, runs[2]!], { margin: 0.006, looks: 3 });
    expect(one!.decision).toBe("inconclusive");
    expect(all!.high - all!.low).toBeLessThan(0.6 * (one!.high - one!.low));
    expect(all!.decision).toBe("within the margin");
  });

  it("find no regression more often than in 2.5 of 100 nights where there is none, whenever they stop", () => {
    const random = seedrandom("looks");
    const LOOKS = 3;
    let wrong = 0;
    const NIGHTS = 1500;
    for (let night = 0; night < NIGHTS; night++) {
      // Docs that tend to flip, the same ones in every look: looks are not independent.
      const tending = ids(60).map(() => random() - 0.5);
      const runs: Look[] = [];
      let decision = "inconclusive";
      while (runs.length < LOOKS && decision === "inconclusive") {
        const flips = tending.map((tendency) => (random() < 0.3 ? Math.sign(tendency + random() - 0.5) : 0));
        const lost = flips.flatMap((flip, id) => (flip < 0 ? [id] : []));
        const won = flips.flatMap((flip, id) => (flip > 0 ? [id] : []));
        runs.push(look(400, lost, won));
        decision = worst(decide(runs as [Look, ...Look[]], { margin: 0.001, looks: LOOKS }));
      }
      if (decision === "regressed") wrong += 1;
    }
    // Three standard errors of chance in 1500 nights.
    expect(wrong / NIGHTS).toBeLessThan(0.025 + 3 * Math.sqrt((0.025 * 0.975) / NIGHTS));
    expect(wrong).toBeGreaterThan(0);
  });
});

describe("several filters", () => {
  it("hold together, and one that regressed is enough", () => {
    const of = (decision: "regressed" | "inconclusive" | "within the margin"): Parameters<typeof worst>[0][number] => ({
      filter: "f",
      decision,
      n: 1,
      runs: 1,
      delta: 0,
      low: 0,
      high: 0,
    });
    expect(worst([of("within the margin"), of("within the margin")])).toBe("within the margin");
    expect(worst([of("within the margin"), of("inconclusive")])).toBe("inconclusive");
    expect(worst([of("inconclusive"), of("regressed")])).toBe("regressed");
    expect(worst([])).toBe("inconclusive");
  });
});
