/**
 * Coercions for flags. yargs itself lets wrong values through: `--limit abc` becomes NaN, a repeated flag an array and
 * a flag without a value an empty string; so every flag with a value is declared with one of these.
 */
import type { Options } from "yargs";
import { UserError } from "../errors.ts";

function single(flag: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) throw new UserError(`--${flag} was given ${value.length} times; give it once`);
  const text = typeof value === "string" ? value : "";
  if (text === "") throw new UserError(`--${flag} needs a value`);
  return text;
}

/** A flag that may be given several times, each with any non-empty text. */
export function listFlag(flag: string, common: Common): ListFlag {
  return {
    ...common,
    type: "string",
    requiresArg: true,
    coerce: (value) =>
      value === undefined ? undefined : [value].flat().map((each: unknown) => single(flag, each) as string),
  };
}

interface Common {
  /** Its heading in the help. */
  readonly group?: string;
  readonly describe: string;
  readonly defaultDescription?: string;
}

type ValueFlag<T> = Options & { type: "string"; coerce: (v: unknown) => T | undefined };
export type TextFlag = ValueFlag<string>;
export type ListFlag = ValueFlag<readonly string[]>;

/** A flag whose value is any non-empty text. */
export function textFlag(flag: string, common: Common): TextFlag {
  return valueFlag(flag, common, (text) => text);
}

/**
 * A flag whose value is a whole number from `min` to `max`.
 *
 * Read as text, since numbers such as `1e3`, `0x10` or ` 5` are more likely a slip than meant.
 */
export function integerFlag(
  flag: string,
  { min, max = Number.MAX_SAFE_INTEGER, ...common }: Common & { readonly min: number; readonly max?: number },
): ValueFlag<number> {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number from ${min} to ${max}`;
  return valueFlag(flag, common, (text) => {
    const number = Number(text);
    if (!/^-?\d+$/.test(text) || number < min || number > max) {
      const atMost = number > max ? ` and at most ${max}` : "";
      throw new UserError(`--${flag} must be ${expected}${expected.includes("to") ? "" : atMost}, not "${text}"`);
    }
    return number;
  });
}

/** A flag whose value is a decimal number from `min` to `max`. */
export function numberFlag(
  flag: string,
  { min, max, ...common }: Common & { readonly min: number; readonly max: number },
): ValueFlag<number> {
  return valueFlag(flag, common, (text) => {
    const number = Number(text);
    if (!/^-?(\d+\.?\d*|\.\d+)$/.test(text) || number < min || number > max)
      throw new UserError(`--${flag} must be a number from ${min} to ${max}, not "${text}"`);
    return number;
  });
}

function valueFlag<T>(flag: string, common: Common, read: (text: string) => T): ValueFlag<T> {
  return {
    ...common,
    type: "string",
    requiresArg: true,
    coerce: (value) => {
      const text = single(flag, value);
      return text === undefined ? undefined : read(text);
    },
  };
}

/** A flag whose value is a number of at least 0, which is often tiny: `1e-5` is what one writes. */
export function toleranceFlag(
  flag: string,
  common: Common,
): Options & { type: "string"; coerce: (v: unknown) => number | undefined } {
  return {
    ...common,
    type: "string",
    requiresArg: true,
    coerce: (value) => {
      const text = single(flag, value);
      if (text === undefined) return undefined;
      const number = Number(text);
      if (!/^(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/.test(text) || !Number.isFinite(number)) {
        throw new UserError(`--${flag} must be a number of at least 0, such as 1e-5, not "${text}"`);
      }
      return number;
    },
  };
}
