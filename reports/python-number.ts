/**
 * How Python writes numbers, for files and tables that must equal lm-eval's to the character.
 */

const MANTISSA_BITS = 52n;
/** 1023 (the bias of an IEEE 754 double's exponent) + 52 (its mantissa read as an integer). */
const EXPONENT_BIAS = 1075n;

/**
 * Python's `format(value, ".{digits}f")`: rounds the exact binary value, half to even.
 * `Number.prototype.toFixed` rounds exact ties up: (1/32).toFixed(4) is "0.0313", Python's is "0.0312".
 *
 * @throws RangeError when `digits` is not an integer between 0 and 100.
 */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isInteger(digits) || digits < 0 || digits > 100)
    throw new RangeError(`digits is ${digits}, not 0 to 100`);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";

  const bits = new BigUint64Array(new Float64Array([value]).buffer)[0]!;
  const fraction = bits & ((1n << MANTISSA_BITS) - 1n);
  const biased = (bits >> MANTISSA_BITS) & 0x7ffn;
  const mantissa = biased === 0n ? fraction : fraction | (1n << MANTISSA_BITS);
  const exponent = (biased === 0n ? 1n : biased) - EXPONENT_BIAS;

  // value = mantissa * 2^exponent, so value * 10^digits is an exact fraction.
  const scaled = mantissa * 10n ** BigInt(digits);
  const rounded = exponent >= 0n ? scaled << exponent : divideHalfEven(scaled, -exponent);
  const text = rounded.toString().padStart(digits + 1, "0");
  const sign = bits >> 63n === 1n ? "-" : "";
  return digits === 0 ? sign + text : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** `numerator / 2^shift`, rounded to the nearest integer, ties to even. */
function divideHalfEven(numerator: bigint, shift: bigint): bigint {
  const quotient = numerator >> shift;
  const remainder = numerator - (quotient << shift);
  const half = 1n << (shift - 1n);
  const up = remainder > half || (remainder === half && (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

/**
 * Python's `repr` of a float: the shortest digits that read back equal (as in JavaScript), with `.0` on whole numbers
 * and an exponent below 1e-4 and from 1e16 on (JavaScript: below 1e-6 and from 1e21 on).
 */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const magnitude = Math.abs(value);
  if (magnitude >= 1e-4 && magnitude < 1e16) {
    const text = String(value);
    return text.includes(".") ? text : `${text}.0`;
  }
  // toExponential() without an argument gives the shortest digits; Python pads the exponent to two.
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  return `${digits}e${exponent.startsWith("-") ? "-" : "+"}${exponent.slice(1).padStart(2, "0")}`;
}
