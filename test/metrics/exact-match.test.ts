import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exactMatch } from "../../metrics/exact-match.ts";

const golden = new URL("../../../shared/golden/lm_eval_run/", import.meta.url);
const scores = (right: number, n: number): number[] => Array.from({ length: n }, (_, index) => (index < right ? 1 : 0));

describe("exactMatch", () => {
  // numpy 2.4.6: x.mean(), x.std(ddof=1) / np.sqrt(n)
  test.each([
    { right: 96, n: 100, mean: 0.96, standardError: 0.019694638556693237 },
    { right: 990, n: 1319, mean: 0.7505686125852918, standardError: 0.011918265218445568 },
    { right: 1, n: 2, mean: 0.5, standardError: 0.5 },
    { right: 0, n: 5, mean: 0, standardError: 0 },
    { right: 5, n: 5, mean: 1, standardError: 0 },
  ])("$right of $n", ({ right, n, mean, standardError }) => {
    const summary = exactMatch(scores(right, n));
    expect(summary).toMatchObject({ n, correct: right, estimate: { kind: "estimated" } });
    if (summary.estimate.kind !== "estimated") return;
    expect(summary.estimate.mean).toBeCloseTo(mean, 14);
    expect(summary.estimate.standardError).toBeCloseTo(standardError, 14);
  });

  test("too few docs for a standard error are said to be so, never NaN", () => {
    expect(exactMatch([])).toEqual({ n: 0, correct: 0, estimate: { kind: "no docs" } });
    expect(exactMatch([1])).toEqual({ n: 1, correct: 1, estimate: { kind: "one doc", mean: 1 } });
  });

  test("equals sqrt(p (1 - p) / (n - 1)) for any scores", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 2, maxLength: 500 }), (values) => {
        const { n, correct, estimate } = exactMatch(values);
        const p = correct / n;
        expect(estimate.kind === "estimated" && estimate.standardError).toBeCloseTo(
          Math.sqrt((p * (1 - p)) / (n - 1)),
          12,
        );
      }),
    );
  });

  test("anything but 0 and 1 is refused", () => {
    expect(() => exactMatch([1, 0.5])).toThrow("score 1 is 0.5");
    expect(() => exactMatch([Number.NaN])).toThrow("NaN");
  });
});

describe.skipIf(!existsSync(golden))("exactMatch on a real lm-eval run (needs ../shared/golden)", () => {
  test.each(["strict-match", "flexible-extract"])("%s: every bit of lm-eval's mean and standard error", (filter) => {
    const rows = readFileSync(new URL("samples_gsm8k.jsonl", golden), "utf8").trim().split("\n");
    const marks = rows
      .map((row) => JSON.parse(row) as { filter: string; exact_match: number })
      .filter((row) => row.filter === filter)
      .map((row) => row.exact_match);
    const { results } = JSON.parse(readFileSync(new URL("results.json", golden), "utf8")) as {
      results: { gsm8k: Record<string, number> };
    };
    expect(exactMatch(marks).estimate).toEqual({
      kind: "estimated",
      mean: results.gsm8k[`exact_match,${filter}`],
      standardError: results.gsm8k[`exact_match_stderr,${filter}`],
    });
  });
});
