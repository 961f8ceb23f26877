import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import {
  answerIs,
  answerIsNumber,
  finalAnswerIs,
  finalAnswerIsNumeral,
  hashMark,
  lastNumber,
} from "../../tasks/extract.ts";
import type { Extract } from "../../tasks/extract.ts";
import { HAS_SHARED, sharedRows } from "./shared.ts";

/** lm-eval's regular expressions with Python's meaning of the dot, and which of all matches is taken. */
const RULES: Readonly<Record<string, { extract: Extract; regex: RegExp; take: "first" | "last" }>> = {
  hashMark: { extract: hashMark, regex: /#### (-?[0-9.,]+)/g, take: "first" },
  answerIs: { extract: answerIs, regex: /The answer is (-?[0-9.,]+)[^\n]/g, take: "first" },
  answerIsNumber: { extract: answerIsNumber, regex: /The answer is (-?[0-9.,]*[0-9]+)/g, take: "first" },
  finalAnswerIs: {
    extract: finalAnswerIs,
    regex: /The final answer is ((?:-?[$0-9.,]{2,})|(?:-?[0-9]+))/g,
    take: "last",
  },
  finalAnswerIsNumeral: { extract: finalAnswerIsNumeral, regex: /final answer is (-?[0-9.,]+)/g, take: "last" },
  lastNumber: { extract: lastNumber, regex: /((?:-?[$0-9.,]{2,})|(?:-?[0-9]+))/g, take: "last" },
};

function byRegex(text: string, { regex, take }: { regex: RegExp; take: "first" | "last" }): string | null {
  const captures = [...text.matchAll(regex)].map((match) => match[1]!);
  return captures.at(take === "first" ? 0 : -1) ?? null;
}

function lmEval(extract: Extract, text: string): string {
  return extract(text) ?? "[invalid]";
}

describe("extraction", () => {
  // completion, by hashMark, by lastNumber
  test.each([
    ["", null, null],
    ["no digits", null, null],
    [".", null, null],
    ["$", null, null],
    ["\0", null, null],
    ["\ud800 5 \udc00", null, "5"],
    ["##### 18", "18", "18"],
    ["#### 18dollars", "18", "18"],
    ["####18", null, "18"],
    ["####  18", null, "18"],
    ["####\t18", null, "18"],
    ["#### - 18", null, "18"],
    ["#### $18", null, "$18"],
    ["#### 18.,", "18.,", "18.,"],
    ["#### 9*2=18", "9", "18"],
    ["#### 18 need 2 more", "18", "2"],
    ["#### 99 #### 18", "99", "18"],
    ["#### x #### -18", "-18", "-18"],
    ["18 (in $.)", null, "$."],
    ["18 ,, end", null, ",,"],
    ["16-18", null, "-18"],
    ["--3", null, "-3"],
    ["-$3", null, "-$3"],
    ["x = \u2212 18", null, "18"],
    ["18:00", null, "00"],
    ["１８", null, null],
    ["18½", null, "18"],
    ["1 450 000", null, "000"],
  ])("%j", (text, strict, flexible) => {
    expect([hashMark(text), lastNumber(text)]).toEqual([strict, flexible]);
  });

  test.each([
    ["The answer is 18.", "18"],
    ["The answer is 18 dollars.", "18"],
    ["The answer is 18..", "18."],
    ["The answer is 18", "1"],
    ["The answer is 18\nDone", "1"],
    ["The answer is 18\rDone", "18"],
    ["The answer is 18\u2028", "18"],
    ["The answer is 5", null],
    ["The answer is -5", null],
    ["The answer is -5.", "-5"],
    ["The answer is 5\nThe answer is 42.", "42"],
    ["The answer is $18.", null],
    ["The answer is 1,000", "1,00"],
    ["the answer is 18.", null],
  ])("the chain-of-thought rule, whose last dot takes any character: %j", (text, expected) => {
    expect(answerIs(text)).toBe(expected);
  });

  test.each([
    ["The final answer is $18", "$18"],
    ["The final answer is 18.", "18."],
    ["The final answer is **18**", null],
    ["The final answer is $ 18", null],
    ["The final answer is 1. The final answer is 2 or so. The final answer is x", "2"],
  ])("the Llama rule: %j", (text, expected) => {
    expect(finalAnswerIs(text)).toBe(expected);
  });

  const piece = fc.constantFrom(
    ..."#$.,-0123456789 \n\r\u2028\u0661x".split(""),
    "#### ",
    "The answer is ",
    "The final answer is ",
    "\ud83d\ude00",
    "\ud800",
  );
  const text = fc.array(fc.oneof({ weight: 4, arbitrary: piece }, fc.string({ unit: "binary" })), { maxLength: 40 });

  test.each(Object.entries(RULES))("%s finds what its regular expression finds", (_, rule) => {
    fc.assert(
      fc.property(text, (pieces) => {
        const completion = pieces.join("");
        expect(rule.extract(completion)).toBe(byRegex(completion, rule));
      }),
      { numRuns: 2000 },
    );
  });

  // A rule that goes back over what it has seen would need minutes to hours for these, so the time-out is the assertion.
  const HOSTILE = [
    "$.,",
    "#### ",
    "#### -",
    "The answer is ",
    "The answer is 5\n",
    "The final answer is ",
    "The final answer is $x",
  ];
  const BARE = ["1", ".", "$", "-", "#", ",1x", "The final answer is -"];
  test.each([...HOSTILE, ...BARE])("8 MB of %j end", (unit) => {
    const long = unit.repeat((8 * 2 ** 20) / unit.length);
    for (const { extract } of Object.values(RULES)) extract(long);
    expect(hashMark(`${long}\n#### 5`)).not.toBeNull();
    expect(lastNumber(`${long} 18 `)).toBe("18");
  });

  it("takes a number of any length whole", () => {
    const digits = "9".repeat(2 ** 20);
    expect(hashMark(`#### ${digits}`)).toHaveLength(digits.length);
    expect(lastNumber(`-${digits}`)).toHaveLength(digits.length + 1);
  });
});

describe.skipIf(!HAS_SHARED)("extraction against lm-eval (needs ../shared)", () => {
  it("agrees on 500 random texts", () => {
    const rows = sharedRows<Readonly<Record<string, string>>>("golden/extract_fuzz.jsonl");
    for (const row of rows) {
      const text = row["s"]!;
      expect({
        text,
        strict: lmEval(hashMark, text),
        flexible: lmEval(lastNumber, text),
        cot_strict: lmEval(answerIs, text),
        cot_llama_strict: lmEval(finalAnswerIs, text),
        self_consistency_score_first: lmEval(answerIsNumber, text),
        gsm8k_llama_strict_match: lmEval(finalAnswerIsNumeral, text),
      }).toEqual({
        text,
        strict: row["strict"],
        flexible: row["flexible"],
        cot_strict: row["cot_strict"],
        cot_llama_strict: row["cot_llama_strict"],
        self_consistency_score_first: row["self_consistency_score_first"],
        gsm8k_llama_strict_match: row["gsm8k_llama_strict_match"],
      });
    }
    expect(rows).toHaveLength(500);
  });
});
