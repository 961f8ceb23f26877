/** Expert ids as lists in lists in a list, out of JSON. */
import type { DecodedIds } from "./decoded-ids.ts";
import { unreadable } from "./decoded-ids.ts";

/** @throws CaptureError where it is not [rows][layers][k] of whole numbers, or ragged */
export function readNestedIds(value: unknown, where: string): DecodedIds {
  const rows = listOf(value, where);
  const layers = rows.length === 0 ? 0 : listOf(rows[0], `${where}[0]`).length;
  const k = layers === 0 ? 0 : listOf((rows[0] as unknown[])[0], `${where}[0][0]`).length;
  // Counted before it is asked for: what is there bounds it, but for rows that share nothing with the first.
  const entries: number[] = [];
  for (const [r, row] of rows.entries()) {
    const inRow = listOf(row, `${where}[${r}]`);
    if (inRow.length !== layers) throw ragged(where, r, `${inRow.length} layers, not ${layers}`);
    for (const [l, ids] of inRow.entries()) {
      const inLayer = listOf(ids, `${where}[${r}][${l}]`);
      if (inLayer.length !== k) throw ragged(where, r, `${inLayer.length} ids in layer ${l}, not ${k}`);
      for (const id of inLayer) {
        if (typeof id !== "number" || id !== (id | 0))
          throw unreadable(`${where}[${r}][${l}] holds ${describe(id)}, which is no expert id`);
        entries.push(id);
      }
    }
  }
  return { rows: rows.length, layers, k, ids: Int32Array.from(entries) };
}

/** One after the other; a part without rows has no shape of its own. */
export function concatRows(first: DecodedIds, second: DecodedIds): DecodedIds {
  if (first.rows === 0) return second;
  if (second.rows === 0) return first;
  const { layers, k } = first;
  if (second.layers !== layers || second.k !== k)
    throw unreadable(
      `the prompt's rows have ${layers} layers of ${k} ids, the completion's ${second.layers} of ${second.k}`,
    );
  const ids = new Int32Array(first.ids.length + second.ids.length);
  ids.set(first.ids);
  ids.set(second.ids, first.ids.length);
  return { rows: first.rows + second.rows, layers, k, ids };
}

function listOf(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unreadable(`${where} is ${describe(value)}, not a list`);
  return value;
}

function ragged(where: string, row: number, reason: string): Error {
  return unreadable(`${where} is ragged: row ${row} has ${reason}`);
}

/** Never the text itself: it may be long, or repeat a key. */
function describe(value: unknown): string {
  if (typeof value === "string") return "text";
  if (typeof value !== "object" || value === null) return String(value);
  return Array.isArray(value) ? "a list" : "an object";
}
