import { describe, expect, it } from "vitest";
import { decide } from "../../nightly/decide.ts";
import { judgeRow } from "../../nightly/judge-row.ts";
import type { Comparison } from "../../reports/comparison.ts";
import { broken, held } from "../reports/example.ts";

const row = { fused: true };
const incomplete: Comparison = { ...held, verdict: { held: true, complete: false, reasons: ["baseline: 1 doc"] } };

describe("a row without a margin", () => {
  it("is what its run's verdict is", () => {
    expect(judgeRow(row, [held], [])).toEqual({ outcome: "held", reasons: held.verdict.reasons });
    expect(judgeRow(row, [broken], []).outcome).toBe("regressed");
    expect(judgeRow(row, [incomplete], [])).toEqual({ outcome: "incomplete", reasons: ["baseline: 1 doc"] });
  });

  it("in which nothing was compared is incomplete, not regressed", () => {
    const nothing: Comparison = {
      ...held,
      paired: [],
      verdict: { held: false, complete: false, reasons: ["nothing was compared"] },
    };
    expect(judgeRow(row, [nothing], []).outcome).toBe("incomplete");
  });
});

describe("a row with a margin", () => {
  const judged = (run: Comparison, points: number): ReturnType<typeof judgeRow> =>
    judgeRow({ ...row, margin: points }, [run], decide([run], { margin: points / 100, looks: 1 }));

  it("is inconclusive where its docs cannot show it, and held where they can", () => {
    expect(judged(held, 0.5).outcome).toBe("inconclusive");
    expect(judged(held, 20).outcome).toBe("held");
    expect(judged(held, 20).reasons[0]).toMatch(/^strict-match: within the margin: fused .* points \(.*; 200 docs\)$/);
  });

  it("has regressed where routing parity is broken, however wide the margin", () => {
    const { outcome, reasons } = judged(broken, 99);
    expect(outcome).toBe("regressed");
    expect(reasons.join()).toMatch(/routing data|experts|weights/);
  });

  it("is incomplete before it is inconclusive", () => {
    expect(judged(incomplete, 0.5).outcome).toBe("incomplete");
  });
});

describe("a threshold", () => {
  it("is held by each variant and filter, to the digit", () => {
    const [{ table }] = held.variants as [Comparison["variants"][number]];
    const value = table.results["gsm_synth"]!["exact_match,strict-match"] as number;
    expect(judgeRow({ ...row, threshold: { "strict-match": value } }, [held], []).outcome).toBe("held");
    const missed = judgeRow({ ...row, threshold: { "strict-match": value + 1e-6 } }, [held], []);
    expect(missed.outcome).toBe("regressed");
    expect(missed.reasons[0]).toMatch(
      /^baseline, strict-match: exact match 0\.\d{4} is below the threshold of 0\.\d+$/,
    );
  });

  it("for all filters is for each of them", () => {
    expect(judgeRow({ ...row, threshold: 1 }, [held], []).reasons).toHaveLength(4);
  });
});
