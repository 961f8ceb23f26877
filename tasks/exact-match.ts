/** GSM8K's exact match, as lm-eval configures it for the whole family. */

/**
 * 1 when prediction and target are the same text after normalisation, else 0. Numbers are never parsed: `18.0` is not `18`.
 *
 * The target may be the whole worked solution: everything up to its last `#### ` falls away.
 */
export function exactMatch(prediction: string, target: string): 0 | 1 {
  return normalise(prediction) === normalise(target) ? 1 : 0;
}

/** Drops, in this order, commas, dollar signs, all up to the last `#### `, and one full stop at the end; then lower case. */
function normalise(text: string): string {
  const plain = withoutTrailingNuls(withoutCommasAndDollars(text));
  const mark = plain.lastIndexOf("#### ");
  const marked = withoutTrailingNuls(mark < 0 ? plain : plain.slice(mark + "#### ".length));
  return withoutTrailingNuls(lowerCase(withoutFinalStop(marked)));
}

/** In one pass over the code units: a replace spends as much on each hit, and a long answer may be nothing but hits. */
function withoutCommasAndDollars(text: string): string {
  if (!text.includes(",") && !text.includes("$")) return text;
  const bytes = Buffer.from(text, "utf16le");
  let kept = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    const unit = bytes.readUInt16LE(at);
    if (unit === 0x2c || unit === 0x24) continue;
    bytes.writeUInt16LE(unit, kept);
    kept += 2;
  }
  return bytes.toString("utf16le", 0, kept);
}

/** Python's `\.$`: the end of the text, or just before a newline that ends it. */
function withoutFinalStop(text: string): string {
  if (text.endsWith(".")) return text.slice(0, -1);
  return text.endsWith(".\n") ? `${text.slice(0, -2)}\n` : text;
}

/** lm-eval holds the texts in numpy arrays between these steps, which cannot tell trailing NULs from padding. */
function withoutTrailingNuls(text: string): string {
  let end = text.length;
  while (end > 0 && text.charCodeAt(end - 1) === 0) end--;
  return text.slice(0, end);
}

/**
 * Lower case in as many code points as before: a numpy array's texts cannot grow. Only `İ` (U+0130) would, by one; other
 * letters map as in Python, but for the few dozen that Unicode added after the version a Python was built with.
 */
function lowerCase(text: string): string {
  const lower = text.toLowerCase();
  return text.includes("\u0130") ? lower.slice(0, endOfCodePoints(lower, countCodePoints(text))) : lower;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length; at += text.codePointAt(at)! > 0xffff ? 2 : 1) count++;
  return count;
}

/** Where the first `count` code points of a text end. */
function endOfCodePoints(text: string, count: number): number {
  let end = 0;
  for (let left = count; left > 0 && end < text.length; left--) end += text.codePointAt(end)! > 0xffff ? 2 : 1;
  return end;
}
