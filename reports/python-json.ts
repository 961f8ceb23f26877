import { pythonFloat } from "./python-number.ts";
import { isPythonList, PythonFloat, pythonNumber, type PythonValue } from "./python-repr.ts";

/**
 * Python's `json.dumps(value, ensure_ascii=False)`: `", "` and `": "` between parts, floats as Python writes them (`3.0`).
 * A lone surrogate, which UTF-8 cannot hold and Python would fail on, is written as its escape.
 *
 * @param indent Spaces per level, as Python's `indent=`; left out: all on one line.
 * @throws RangeError on NaN and infinities: Python writes them as words that are not JSON.
 */
export function pythonJson(value: PythonValue, indent?: number): string {
  return write(value, indent, 0);
}

function write(value: PythonValue, indent: number | undefined, depth: number): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return pythonNumber(finite(value));
  if (value instanceof PythonFloat) return pythonFloat(finite(value.value));
  if (isPythonList(value)) {
    return wrap(
      "[",
      value.map((item) => write(item, indent, depth + 1)),
      "]",
      indent,
      depth,
    );
  }
  const members = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${write(item, indent, depth + 1)}`,
  );
  return wrap("{", members, "}", indent, depth);
}

function wrap(
  open: string,
  parts: readonly string[],
  close: string,
  indent: number | undefined,
  depth: number,
): string {
  if (parts.length === 0) return open + close;
  if (indent === undefined) return open + parts.join(", ") + close;
  const inner = `\n${" ".repeat(indent * (depth + 1))}`;
  return `${open}${inner}${parts.join(`,${inner}`)}\n${" ".repeat(indent * depth)}${close}`;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`JSON cannot hold ${value}`);
  return value;
}
