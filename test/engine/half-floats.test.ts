import { describe, expect, test } from "vitest";
import {
  bf16ToNumber,
  f16ToNumber,
  float32ToHalf,
  type HalfFormat,
  halfToFloat32,
  numberToBf16,
  numberToF16,
} from "../../engine/half-floats.ts";

const ALL_BITS = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);

describe("f16", () => {
  test.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x3c00, 1],
    [0xc000, -2],
    [0x3555, 0.333251953125],
    [0x0001, 2 ** -24],
    [0x03ff, 6.097555160522461e-5],
    [0x0400, 2 ** -14],
    [0x7bff, 65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7e00, NaN],
  ])("bits %i are %d", (bits, value) => {
    expect(f16ToNumber(bits)).toBe(value);
    expect(numberToF16(value)).toBe(bits);
  });

  test.each([
    [1 + 2 ** -11, 0x3c00, "a tie goes to the even pattern"],
    [1 + 3 * 2 ** -11, 0x3c02, "a tie goes to the even pattern"],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01, "above a tie goes up"],
    [1.9999, 0x4000, "rounding carries into the exponent"],
    [65519, 0x7bff, "below the halfway point stays finite"],
    [65520, 0x7c00, "the halfway point overflows"],
    [1e30, 0x7c00, "overflow"],
    [2 ** -25, 0x0000, "half of the smallest is a tie with zero"],
    [2 ** -25 * 1.5, 0x0001, "above it rounds to the smallest"],
    [2 ** -14 - 2 ** -26, 0x0400, "a subnormal rounds up to the smallest normal"],
  ])("%d rounds to %i: %s", (value, bits) => {
    expect(numberToF16(value)).toBe(bits);
  });
});

describe("bf16", () => {
  test.each([
    [0x0000, 0],
    [0x8000, -0],
    [0x3f80, 1],
    [0x4049, 3.140625],
    [0x7f80, Infinity],
    [0xff80, -Infinity],
    [0x7fc0, NaN],
  ])("bits %i are %d", (bits, value) => {
    expect(bf16ToNumber(bits)).toBe(value);
    expect(numberToBf16(value)).toBe(bits);
  });

  test.each([
    [1 + 2 ** -8, 0x3f80, "a tie goes to the even pattern"],
    [1 + 3 * 2 ** -8, 0x3f82, "a tie goes to the even pattern"],
    [3.4e38, 0x7f80, "overflow"],
  ])("%d rounds to %i: %s", (value, bits) => {
    expect(numberToBf16(value)).toBe(bits);
  });
});

describe.each<[HalfFormat, (bits: number) => number]>([
  ["bf16", bf16ToNumber],
  ["f16", f16ToNumber],
])("arrays of %s", (format, toNumber) => {
  test("hold the same values as single conversions, and all but NaN survive the way back", () => {
    const values = halfToFloat32(ALL_BITS, format);
    expect([...values]).toEqual([...ALL_BITS].map(toNumber));
    const back = float32ToHalf(values, format);
    const changed = [...ALL_BITS].filter((bits) => back[bits] !== bits && !Number.isNaN(values[bits]));
    expect(changed).toEqual([]);
  });
});
