import { describe, expect, test } from "vitest";
import { counted, duration, points, size } from "../../reports/number-text.ts";

describe("numbers for people", () => {
  test.each([
    [-0.0123, "-1.23"],
    [0.005, "+0.50"],
    [0, "0.00"],
    [-0.00001, "0.00"],
    [0.00001, "0.00"],
  ])("%d as points is %s", (share, expected) => expect(points(share)).toBe(expected));

  test.each([
    [0, "0"],
    [1.1920929e-7, "1.19e-7"],
    [0.0123456, "0.0123"],
    [12.5, "12.5"],
    [123456, "1.23e+5"],
  ])("the size %d is %s", (value, expected) => expect(size(value)).toBe(expected));

  test.each([
    [8.44, "8.4 s"],
    [41.2, "41 s"],
    [59.7, "1 min 0 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
  ])("%d seconds are %s", (seconds, expected) => expect(duration(seconds)).toBe(expected));

  test("one is singular", () => {
    expect([counted(1, "doc"), counted(0, "doc"), counted(54321, "doc")]).toEqual(["1 doc", "0 docs", "54,321 docs"]);
  });
});
