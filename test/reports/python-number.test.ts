import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatFixed, pythonFloat } from "../../reports/python-number.ts";
import { pythonRepr } from "../../reports/python-repr.ts";

describe("formatFixed is Python's format(x, '.Nf')", () => {
  // Printed by CPython 3: format(value, f".{digits}f")
  test.each([
    [1 / 32, 4, "0.0312"],
    [3 / 32, 4, "0.0938"],
    [0.00005, 4, "0.0001"],
    [0.5, 0, "0"],
    [1.5, 0, "2"],
    [2.5, 0, "2"],
    [-0.5, 0, "-0"],
    [0.1, 20, "0.10000000000000000555"],
    [1e21, 2, "1000000000000000000000.00"],
    [5e-324, 4, "0.0000"],
    [0.99995, 4, "1.0000"],
    [-1.25, 1, "-1.2"],
    [Number.NaN, 4, "nan"],
    [Number.NEGATIVE_INFINITY, 4, "-inf"],
  ])("%d with %d decimals is %s", (value, digits, expected) => {
    expect(formatFixed(value, digits)).toBe(expected);
  });

  test("is never further from the value than half a unit of the last place", () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.nat(8), (value, digits) => {
        const text = formatFixed(value, digits);
        expect(Math.abs(Number(text) - value)).toBeLessThanOrEqual(0.5 * 10 ** -digits * (1 + 1e-6));
        expect(text.split(".")[1]?.length ?? 0).toBe(digits);
      }),
    );
  });

  test("refuses impossible digits", () => {
    expect(() => formatFixed(1, -1)).toThrow("digits is -1");
  });
});

// Printed by CPython 3: repr(value)
test.each([
  [3, "3.0"],
  [0, "0.0"],
  [-0, "-0.0"],
  [0.1, "0.1"],
  [1e-4, "0.0001"],
  [1e-5, "1e-05"],
  [1.5e-7, "1.5e-07"],
  [123456789012345680, "1.2345678901234568e+17"],
  [9007199254740992, "9007199254740992.0"],
  [1e16, "1e+16"],
  [1e22, "1e+22"],
  [5e-324, "5e-324"],
  [0.049604496374885836, "0.049604496374885836"],
])("pythonFloat(%d) is repr's %s", (value, expected) => {
  expect(pythonFloat(value)).toBe(expected);
});

// Printed by CPython 3: repr(value)
test.each([
  ["it's", `"it's"`],
  [`it's "x"`, String.raw`'it\'s "x"'`],
  ["a\nb\\\t", String.raw`'a\nb\\\t'`],
  ["\u0000\u007f\u00a0é", String.raw`'\x00\x7f\xa0é'`],
  ["\u2028\ud800🎲", String.raw`'\u2028\ud800🎲'`],
])("pythonRepr(%j) is repr's", (value, expected) => {
  expect(pythonRepr(value)).toBe(expected);
});
