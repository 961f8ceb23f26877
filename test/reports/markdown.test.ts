import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Comparison, JudgedParity } from "../../reports/comparison.ts";
import { renderConsole } from "../../reports/console.ts";
import { jsonFileText } from "../../reports/json.ts";
import { renderReport } from "../../reports/markdown.ts";
import { broken as example, held } from "./example.ts";

const [baseline, fused] = example.variants as [Comparison["variants"][0], Comparison["variants"][0]];
const notJudged = { kind: "not judged", reason: "one variant only" } as const;
const alone: Comparison = {
  ...example,
  command: "fusecheck eval --task gsm_synth --limit 200",
  variants: [baseline],
  paired: [],
  flips: [],
  parity: notJudged,
  logprobs: notJudged,
  outputs: notJudged,
  divergence: notJudged,
  levels: [],
  verdict: { held: true, complete: true, reasons: ["200 of 200 docs completed"] },
};

describe("renderReport", () => {
  test("a comparison that holds, whole, in less than 60 lines", async () => {
    const report = renderReport(held);
    await expect(report).toMatchFileSnapshot("__snapshots__/held.md");
    expect(report.split("\n").length).toBeLessThan(60);
  });

  test("a comparison that does not hold, whole", async () => {
    await expect(renderReport(example)).toMatchFileSnapshot("__snapshots__/broken.md");
  });

  test("one variant has no comparison", async () => {
    await expect(renderReport(alone)).toMatchFileSnapshot("__snapshots__/one-variant.md");
  });

  test("failed docs are shown with their reasons and the denominators with them", () => {
    const failing = {
      ...baseline,
      counts: { total: 200, scored: 190, unanswered: 2, failed: 8, skipped: 0 },
      failures: Array.from({ length: 8 }, (_, doc_id) => ({
        doc_id,
        reason: "prompt of 2,100 tokens > context of 2,048",
      })),
    };
    const report = renderReport({ ...example, variants: [failing, fused] });
    expect(report).toContain("Failed in baseline: doc 0 `prompt of 2,100 tokens > context of 2,048`");
    expect(report).toContain("and 3 more.");
    expect(report).toContain("are in no denominator above");
    expect(report).toContain("| baseline | 200 | 190 | 2 | 8 | 0 |");
  });

  test.each([renderReport, renderConsole])("docs that one variant alone answered are counted (%o)", (render) => {
    const said = "In no pair: 2 docs that only the baseline answered, 1 that only fused did.";
    expect(render({ ...example, unpaired: { baseline: 2, fused: 1 } })).toContain(said);
    expect(render({ ...example, unpaired: { baseline: 0, fused: 0 } })).not.toContain("In no pair");
  });

  test("many flips stay short", () => {
    const flips = Array.from({ length: 500 }, (_, doc_id) => ({ ...example.flips[0]!, doc_id }));
    const report = renderReport({ ...example, flips });
    expect(report).toContain("500 docs flipped:");
    expect(report).toContain("33, 34 and 465 more.");
    expect(report.split("\n").length).toBeLessThan(80);
  });

  test("routing of an older version, which has no routing.md, is told in sentences", () => {
    const { picture: _picture, ...older } = example.parity as JudgedParity;
    const report = renderReport({ ...example, parity: older });
    expect(report).toContain("- Choices that differ: 3 of 562,445: near-ties 1");
    expect(report).not.toContain("routing.md");
    expect(renderReport(example)).toContain("## Level by level ([layers, margins, load, worst tokens](routing.md))");
  });

  test.each([
    ["a table row", "| a | b |"],
    ["backticks", "`` ` ``"],
    ["HTML", "<img src=x onerror=alert(1)>"],
    ["line breaks", "line\nbreak\r\n# heading"],
    ["bidi marks and controls", "\u202egnirts\u2066\u0000\u001b[31m\ud800"],
    ["a mention and a link", "@someone #1 https://example.org"],
    ["a megabyte", "x".repeat(1_000_000)],
    ["nothing", ""],
    ["blanks", "   "],
    ["a backslash before a pipe", "\\| \\\\|"],
  ])("a hostile answer stays inside its cell: %s", (_name, extracted) => {
    const flips = [{ ...example.flips[0]!, baseline: { extracted, exact_match: 1 as const } }];
    const report = renderReport({ ...example, flips });
    const row = report.split("\n").find((line) => line.startsWith("| 17 |"))!;
    // Cells are split at pipes that no backslash escapes.
    expect(row.split(/(?<!\\)\|/)).toHaveLength(6);
    expect(row.length).toBeLessThan(400);
    expect(row).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  });

  test("no text can add a line, a control character or markup to the report", () => {
    const lines = renderReport({ ...example, flips: example.flips.slice(0, 1) }).split("\n").length;
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const report = renderReport({
          ...example,
          flips: [{ ...example.flips[0]!, fused: { extracted: text, exact_match: 0 } }],
          command: `fusecheck ${text}`,
          engine: { ...example.engine, model: text },
          verdict: { outcome: "regressed", held: false, complete: true, reasons: [text] },
        });
        expect(report.split("\n")).toHaveLength(lines);
        expect(report.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

test("the comparison's file reads back as it was; NaN cannot get into it", () => {
  expect(JSON.parse(jsonFileText(example))).toEqual(example);
  const bad = { ...example, variants: [{ ...baseline, seconds: Number.NaN }] };
  expect(() => jsonFileText(bad)).toThrow("seconds is NaN");
});

describe("completions cut at max_tokens", () => {
  const cut = (truncated: number): Comparison => ({
    ...example,
    variants: example.variants.map((variant) => ({ ...variant, truncated })),
  });

  test.each([renderReport, renderConsole])("are warned of when there are many (%o)", (render) => {
    expect(render(cut(11))).toContain("baseline: 11 of 200 completions were cut at max_tokens; raise --max-tokens");
    expect(render(cut(10))).not.toContain("Warning");
  });
});

describe("renderConsole", () => {
  test("a comparison, whole", async () => {
    await expect(renderConsole(example)).toMatchFileSnapshot("__snapshots__/broken.txt");
  });

  test("one variant: its table, its numbers and the verdict", () => {
    const text = renderConsole(alone);
    expect(text).toContain("|gsm_synth|      1|flexible-extract|     3|exact_match|");
    expect(text).not.toContain("Routing parity");
    expect(text).toContain("Complete.\n  200 of 200 docs completed\n");
  });

  test("no terminal escape gets through", () => {
    const text = renderConsole({
      ...example,
      verdict: { outcome: "regressed", held: false, complete: true, reasons: ["\u001b[2Jgone\u0007"] },
    });
    expect(text).toContain("\\u{1b}[2Jgone\\u{7}");
  });
});
