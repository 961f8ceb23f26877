import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { exactMatch } from "../../tasks/exact-match.ts";
import { HAS_SHARED, sharedRows } from "./shared.ts";

const dropNuls = (text: string): string => text.replace(/\0+$/, "");

/** The same steps by regular expressions, in Python's meaning. */
function naive(text: string): string {
  const steps = [/,/g, /\$/g, /^[^]*#### /, /\.(?=\n?$)(?![^]{2})/];
  return dropNuls(steps.reduce((rest, step) => dropNuls(rest.replace(step, "")), text).toLowerCase());
}

describe("exactMatch", () => {
  test.each([
    ["18", "18", 1],
    ["18.", "18", 1],
    ["$18", "18", 1],
    ["1,450,000", "1450000", 1],
    ["18", "She has 7.\n#### 18", 1],
    ["18", "#### 7\n#### 18", 1],
    ["18..", "18", 0],
    ["18.0", "18", 0],
    ["018", "18", 0],
    ["-3", "3", 0],
    [" 18", "18", 0],
    ["18.\n", "18\n", 1],
    ["18.\n\n", "18\n\n", 0],
    ["ABC", "abc", 1],
    ["ΑΣ", "ας", 1],
    // lm-eval holds the texts in arrays that drop trailing NULs.
    ["18.\0", "18", 1],
    ["18\0\0", "18", 1],
    ["\u000018", "18", 0],
    // A lower-case İ is two code points, of which lm-eval's array of one keeps the first.
    ["\u0130", "i", 1],
    ["\u0130\0.", "i\u0307", 1],
    ["", "", 1],
  ])("%j and %j: %i", (prediction, target, expected) => {
    expect(exactMatch(prediction, target)).toBe(expected);
  });

  it("normalises as the regular expressions do", () => {
    const text = fc.array(fc.constantFrom(..."#$.,- \n\0aB1".split(""), "#### ", "#,$### ", "\ud800", ".\n"), {
      maxLength: 20,
    });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [left, right] = [a.join(""), b.join("")];
        expect(exactMatch(left, right)).toBe(naive(left) === naive(right) ? 1 : 0);
        expect(exactMatch(left, naive(left))).toBe(naive(naive(left)) === naive(left) ? 1 : 0);
      }),
      { numRuns: 2000 },
    );
  });

  // A `(?s).*#### ` that goes back would need hours for these, so the time-out is the assertion.
  test.each(["#### ", "$.,", ".", "\0", "\u0130", "#### \n"])("8 MB of %j end", (unit) => {
    const long = unit.repeat((8 * 2 ** 20) / unit.length);
    expect(exactMatch(long, `x${long}x`)).toBe(0);
  });
});

describe.skipIf(!HAS_SHARED)("exactMatch against lm-eval (needs ../shared)", () => {
  it("agrees on 500 random pairs", () => {
    const rows = sharedRows<{ em_pair: [string, string, number] }>("golden/extract_fuzz.jsonl");
    for (const { em_pair: pair } of rows) expect([pair[0], pair[1], exactMatch(pair[0], pair[1])]).toEqual(pair);
    expect(rows).toHaveLength(500);
  });
});
