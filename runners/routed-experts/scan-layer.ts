/** What is odd about one layer's ids, found in one pass; a long layer is scanned in parts, which merge. */
import { createHash } from "node:crypto";
import type { DecodedIds } from "./decoded-ids.ts";
import { unsoundFinder } from "./sound-rows.ts";
import type { FindUnsound, IdArray } from "./sound-rows.ts";

export interface LayerScan extends RowScan {
  /** Equal for layers that hold the same ids. */
  readonly digest: string;
}

export interface RowScan {
  readonly rows: number;
  readonly negativeRows: number;
  readonly zeroRows: number;
  /** The first id that is no expert's; -1 is not counted, it has a meaning. */
  readonly outside: Place | undefined;
  /** The first id that a row has twice. */
  readonly duplicate: Place | undefined;
  /** Every row equals the first, in order too. */
  readonly constant: boolean;
  readonly firstRow: readonly number[];
}

export interface Place {
  readonly row: number;
  readonly id: number;
}

/** A layer of [rows, layers, k]. */
export function scanLayer({ ids, rows, layers, k }: DecodedIds, column: number, nExpertsTot: number): LayerScan {
  const own = new Int32Array(rows * k);
  for (let row = 0; row < rows; row++) {
    const from = (row * layers + column) * k;
    own.set(ids.subarray(from, from + k), row * k);
  }
  const digest = createHash("sha256").update(own).digest("hex");
  return { ...new RowScanner(k, nExpertsTot).scan(own), digest };
}

/** The scan of both parts, `b` the later one. */
export function mergeScans(a: RowScan, b: RowScan): RowScan {
  const later = (place: Place | undefined): Place | undefined =>
    place === undefined ? undefined : { row: a.rows + place.row, id: place.id };
  return {
    rows: a.rows + b.rows,
    negativeRows: a.negativeRows + b.negativeRows,
    zeroRows: a.zeroRows + b.zeroRows,
    outside: a.outside ?? later(b.outside),
    duplicate: a.duplicate ?? later(b.duplicate),
    constant: a.constant && b.constant && a.firstRow.every((id, slot) => id === b.firstRow[slot]),
    firstRow: a.firstRow,
  };
}

/** Scans [rows, k]; it is kept between the parts of a layer for its memory only. */
export class RowScanner {
  readonly #k: number;
  readonly #nExpertsTot: number;
  readonly #nextUnsound: FindUnsound;

  constructor(k: number, nExpertsTot: number) {
    this.#k = k;
    this.#nExpertsTot = nExpertsTot;
    // One expert per token: every row has to be looked at, as a 0 may be none.
    this.#nextUnsound = k === 1 ? (_, row) => row : unsoundFinder(k, nExpertsTot);
  }

  /** @param ids - at least one row */
  scan(ids: IdArray): RowScan {
    const k = this.#k;
    const rows = ids.length / k;
    const odd: OddRows = { negativeRows: 0, zeroRows: 0, outside: undefined, duplicate: undefined };
    for (let row = 0; row < rows; row++) {
      row = this.#nextUnsound(ids, row);
      if (row < rows) lookAt(odd, ids.subarray(row * k, row * k + k), row, this.#nExpertsTot);
    }
    return { rows, ...odd, constant: isConstant(ids, k), firstRow: Array.from(ids.subarray(0, k)) };
  }
}

type OddRows = { -readonly [Key in Exclude<keyof RowScan, "rows" | "constant" | "firstRow">]: RowScan[Key] };

function lookAt(odd: OddRows, ids: ArrayLike<number>, row: number, nExpertsTot: number): void {
  let [negative, zero] = [false, true];
  let twice: number | undefined;
  const seen = new Set<number>();
  for (let slot = 0; slot < ids.length; slot++) {
    const id = ids[slot] as number;
    if (id !== 0) zero = false;
    if (id < 0 || id >= nExpertsTot) {
      if (id === -1) negative = true;
      else odd.outside ??= { row, id };
    } else if (seen.has(id)) twice ??= id;
    else seen.add(id);
  }
  if (twice !== undefined) odd.duplicate ??= { row, id: twice };
  if (negative) odd.negativeRows++;
  if (zero) odd.zeroRows++;
}

function isConstant(ids: ArrayLike<number>, k: number): boolean {
  for (let at = k; at < ids.length; at++) if (ids[at] !== ids[at - k]) return false;
  return true;
}
