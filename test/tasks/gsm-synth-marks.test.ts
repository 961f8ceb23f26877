import { existsSync, readFileSync } from "node:fs";
import { assert, constantFrom, integer, nat, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { evaluateMarks } from "../../tasks/gsm-synth/index.ts";

const GSM8K = new URL("../../../shared/gsm8k/train.jsonl", import.meta.url);

/** How many marks there are, or what is wrong. */
function outcome(text: string): string {
  try {
    return `${evaluateMarks(text).marks.length} marks`;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("evaluateMarks", () => {
  test("gives expression, value and line of every mark", () => {
    const answer =
      "She sold 48/2 = <<48/2=24>>24 clips.\nNothing here.\nBoth: <<48+24=72>>72, so $<<72*.5=36.00>>36.\n#### 36";
    expect(evaluateMarks(answer)).toStrictEqual({
      marks: [
        { expression: "48/2", value: 24, line: 1 },
        { expression: "48+24", value: 72, line: 3 },
        { expression: "72*.5", value: 36, line: 3 },
      ],
    });
  });

  test.each([
    ["30/100*250", 75],
    ["250*30/100", 75],
    ["1/3*3", 1],
    ["0.1+0.2", 0.3],
    ["12*(8-3)", 60],
    ["-(2-5)*+4", 12],
    ["100-7*9-1", 36],
    ["64/4/2", 8],
    ["5/-2", -2.5],
  ])("%s is %d, exactly", (expression, value) => {
    expect(evaluateMarks(`<<${expression}=${value}>>`).marks[0]?.value).toBe(value);
  });

  test.each([
    ["<<2+2=5>>5", /line 1: mark <<2\+2=5>> is wrong: the value is 4/],
    ["fine <<1+1=2>>2\nbad <<9/2=4>>4", /line 2: mark <<9\/2=4>> is wrong: the value is 4.5/],
    ["<<1/3=0.33>>", /is wrong/],
    ["<<2+2=4", /is not closed/],
    ["<<4>>", /not of the form/],
    ["<<=4>>", /not of the form/],
    ["<<2+2=4=4>>", /not of the form/],
    ["<<2+2=four>>", /no number after =/],
    ["<<2 +2=4>>", /unexpected " "/],
    ["<<2+=2>>", /lacks a number/],
    ["<<(2+2=4>>", /lacks a closing parenthesis/],
    ["<<2+2)=4>>", /unexpected "\)"/],
    ["<<1/(2-2)=1>>", /divides by zero/],
    ["<<__proto__=1>>", /lacks a number/],
    [`<<${"(".repeat(90)}1${")".repeat(90)}=1>>`, /nested deeper/],
    [`<<${"-".repeat(150)}1=1>>`, /nested deeper/],
    [`<<${"9".repeat(5000)}=1>>`, /longer than/],
  ])("refuses %j", (answer, message) => {
    expect(() => evaluateMarks(answer)).toThrow(message);
  });

  test("a wrong value never passes", () => {
    assert(
      property(nat(99_999), nat(99_999), integer({ min: 1, max: 999 }), (x, y, off) => {
        expect(evaluateMarks(`<<${x}+${y}=${x + y}>>`).marks[0]?.value).toBe(x + y);
        expect(() => evaluateMarks(`<<${x}*${y}=${x * y + off}>>`)).toThrow(/is wrong/);
      }),
    );
  });

  test("hostile text ends in a result or an Error, in linear time", () => {
    assert(
      property(string({ unit: constantFrom(...Array.from("<>=+-*/().0123\n ")), maxLength: 400 }), (text) => {
        expect(outcome(text)).toMatch(/^\d+ marks$|^line \d+: /);
      }),
    );
    expect(evaluateMarks("< <= >> ".repeat(200_000)).marks).toHaveLength(0);
  });
});

describe.skipIf(!existsSync(GSM8K))("on the published GSM8K train split (needs ../shared/gsm8k)", () => {
  test("nearly every answer of it passes", () => {
    const rows = readFileSync(GSM8K, "utf8").trimEnd().split("\n");
    const passing = rows.filter((row) => {
      try {
        evaluateMarks((JSON.parse(row) as { answer: string }).answer);
        return true;
      } catch {
        return false;
      }
    });
    // The rest has rounded values, text inside the marks or real mistakes.
    expect(passing.length / rows.length).toBeGreaterThan(0.9);
  });
});
