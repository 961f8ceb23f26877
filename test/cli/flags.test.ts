import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { integerFlag, numberFlag, textFlag } from "../../cli/flags.ts";
import { UserError } from "../../errors.ts";

const describeIt = { describe: "a flag" };

describe("integerFlag", () => {
  const { coerce } = integerFlag("limit", { ...describeIt, min: 1, max: 500 });

  it("reads whole numbers in its range", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (number) => {
        expect(coerce(String(number))).toBe(number);
      }),
    );
    expect(coerce(undefined)).toBeUndefined();
  });

  it.each(["0", "501", "-1", "1.5", "1e2", "0x10", " 5", "5 ", "abc", "NaN", "Infinity", "+5", "٣", "1_0"])(
    "refuses %j",
    (text) => {
      expect(() => coerce(text)).toThrow(new UserError(`--limit must be a whole number from 1 to 500, not "${text}"`));
    },
  );

  it("says only the lower end where there is no other", () => {
    const { coerce: open } = integerFlag("seed", { ...describeIt, min: 0 });
    expect(open(String(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => open("-1")).toThrow(/^--seed must be a whole number of at least 0, not/);
    expect(() => open("9007199254740993")).toThrow(
      /^--seed must be .* of at least 0 and at most 9007199254740991, not/,
    );
  });

  it("refuses a flag that was given twice, or without a value", () => {
    expect(() => coerce(["1", "2", "3"])).toThrow(/^--limit was given 3 times; give it once$/);
    expect(() => coerce("")).toThrow(/^--limit needs a value$/);
  });
});

describe("numberFlag", () => {
  const { coerce } = numberFlag("temperature", { ...describeIt, min: 0, max: 10 });

  it.each([
    ["0", 0],
    ["0.8", 0.8],
    [".5", 0.5],
    ["2.", 2],
    ["10", 10],
  ])("reads %s", (text, number) => expect(coerce(text)).toBe(number));

  it.each(["-1", "-0.1", "10.01", "1e-3", "abc", ".", "0,8", "1.2.3", " 1", "NaN"])("refuses %j", (text) => {
    expect(() => coerce(text)).toThrow(new UserError(`--temperature must be a number from 0 to 10, not "${text}"`));
  });
});

describe("textFlag", () => {
  const { coerce } = textFlag("task", describeIt);

  it("takes any text but none", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        expect(coerce(text)).toBe(text);
      }),
    );
    expect(() => coerce("")).toThrow(/^--task needs a value$/);
  });
});
