/** A value that JSON can hold without loss: no NaN, no undefined. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON object. */
export type JsonObject = Readonly<Record<string, JsonValue>>;

/** JSON with sorted keys and no spaces, so that equal values give equal text whatever order their keys were written in. */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`JSON cannot hold ${value}`);
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const members = Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key]!)}`);
  return `{${members.join(",")}}`;
}

/** An array of numbers over several lines. No text can hold it: JSON writes a line break inside a text as `\n`. */
const NUMBERS = /\[\n\s+(?:-?\d[\d.eE+-]*,\n\s+)*-?\d[\d.eE+-]*\n\s+\]/g;

/**
 * A file's JSON text: two spaces of indent, arrays of numbers on one line, a newline at the end.
 *
 * @throws RangeError on NaN and infinities, which `JSON.stringify` would silently turn into null.
 */
export function jsonFileText(value: object): string {
  const text = JSON.stringify(
    value,
    (key, member: unknown) => {
      if (typeof member === "number" && !Number.isFinite(member))
        throw new RangeError(`${key} is ${member}: JSON cannot hold it`);
      return member;
    },
    2,
  );
  return `${text.replaceAll(NUMBERS, (numbers) => numbers.replaceAll(/\n\s*/g, "").replaceAll(",", ", "))}\n`;
}

/** `Array.isArray` does not narrow a readonly array out of a union. */
export function isJsonArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
