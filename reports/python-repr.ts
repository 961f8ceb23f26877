import { pythonFloat } from "./python-number.ts";

/** A number that is a float in Python even when it is whole, so that 3 is written as `3.0`. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A value with the types that Python tells apart: a plain whole number is an int, one with a fraction a float. */
export type PythonValue =
  | string
  | number
  | boolean
  | null
  | PythonFloat
  | readonly PythonValue[]
  | { readonly [key: string]: PythonValue };

/** Python's `repr`: `{'model': 'm', 'num_concurrent': 8, 'tokenizer': None}`. */
export function pythonRepr(value: PythonValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return pythonNumber(value);
  if (typeof value === "string") return reprString(value);
  if (value instanceof PythonFloat) return pythonFloat(value.value);
  if (isPythonList(value)) return `[${value.map(pythonRepr).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, item]) => `${reprString(key)}: ${pythonRepr(item)}`)
    .join(", ")}}`;
}

/** A plain number: an int when whole, else a float. */
export function pythonNumber(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : pythonFloat(value);
}

/** `Array.isArray` does not narrow a readonly array out of a union. */
export function isPythonList(value: PythonValue): value is readonly PythonValue[] {
  return Array.isArray(value);
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** Single quotes, unless the text has single quotes and no double ones; unprintable characters as escapes. */
function reprString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let body = "";
  for (const character of text) {
    const short = SHORT_ESCAPES.get(character);
    if (short !== undefined) body += short;
    else if (character === quote) body += `\\${character}`;
    else if (/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u.test(character)) body += hexEscape(character.codePointAt(0)!);
    else body += character;
  }
  return quote + body + quote;
}

function hexEscape(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
