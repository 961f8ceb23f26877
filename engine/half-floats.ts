/**
 * Conversions between float32 and the two 16-bit formats of checkpoints and routing weights, which JavaScript has no
 * arrays for: a `Uint16Array` holds their bits. bf16 is the upper half of a float32; f16 is IEEE 754 binary16.
 */
export type HalfFormat = "bf16" | "f16";

const asFloat = new Float32Array(1);
const asBits = new Uint32Array(asFloat.buffer);

/** The value of every f16 bit pattern, made when first needed: a checkpoint has millions of values. */
let f16Values: Float32Array | undefined;

/** The value of one bf16 bit pattern. */
export function bf16ToNumber(bits: number): number {
  asBits[0] = (bits << 16) >>> 0;
  return asFloat[0] ?? 0;
}

/** The value of one f16 bit pattern. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The bf16 bits nearest to a float32 value; ties go to the even pattern, overflow to infinity, NaN stays NaN. */
export function numberToBf16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  asFloat[0] = value;
  const bits = asBits[0] ?? 0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The f16 bits nearest to a float32 value; ties go to the even pattern, overflow to infinity, NaN stays NaN. */
export function numberToF16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  asFloat[0] = value;
  const sign = ((asBits[0] ?? 0) >>> 16) & 0x8000;
  const magnitude = Math.abs(asFloat[0] ?? 0);
  // 65520 lies halfway between the largest f16 (65504) and the next step: it and all above round to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundHalfToEven(magnitude * 2 ** 24);
  const exponent = ((asBits[0] ?? 0) >>> 23) & 0xff;
  const mantissa = roundHalfToEven((magnitude / 2 ** (exponent - 127) - 1) * 1024);
  // A mantissa that rounds up to 1024 carries into the exponent by plain addition.
  return sign | (((exponent - 112) << 10) + mantissa);
}

/** Every element of an array of 16-bit patterns, as float32 (exact: both formats are subsets of it). */
export function halfToFloat32(bits: Uint16Array, format: HalfFormat): Float32Array {
  const values = new Float32Array(bits.length);
  if (format === "bf16") {
    const out = new Uint32Array(values.buffer);
    for (let i = 0; i < bits.length; i++) out[i] = (bits[i] ?? 0) << 16;
    return values;
  }
  f16Values ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => f16ToNumber(pattern));
  for (let i = 0; i < bits.length; i++) values[i] = f16Values[bits[i] ?? 0] ?? 0;
  return values;
}

/** Every element of a float32 array, rounded to the nearest 16-bit value (ties to even). */
export function float32ToHalf(values: Float32Array, format: HalfFormat): Uint16Array {
  const convert = format === "bf16" ? numberToBf16 : numberToF16;
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = convert(values[i] ?? 0);
  return bits;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
