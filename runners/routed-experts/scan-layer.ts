/** What is odd about one layer's ids, found in one pass; a long layer is scanned in parts, which merge. */
import { createHash } from "node:crypto";
import type { DecodedIds } from "./decoded-ids.ts";

export interface LayerScan extends RowScan {
  /** Equal for layers that hold the same ids. */
  readonly digest: string;
}

export interface RowScan {
  readonly rows: number;
  /** Rows of K different ids in range. */
  readonly validRows: number;
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
    validRows: a.validRows + b.validRows,
    negativeRows: a.negativeRows + b.negativeRows,
    zeroRows: a.zeroRows + b.zeroRows,
    outside: a.outside ?? later(b.outside),
    duplicate: a.duplicate ?? later(b.duplicate),
    constant: a.constant && b.constant && a.firstRow.every((id, slot) => id === b.firstRow[slot]),
    firstRow: a.firstRow,
  };
}

/** Scans [rows, k]. It is kept between parts for its memory only. */
export class RowScanner {
  readonly #k: number;
  readonly #nExpertsTot: number;
  /** The stamp of the row in which each expert was last seen. */
  readonly #lastSeen: Uint32Array;
  #stamp = 0;

  constructor(k: number, nExpertsTot: number) {
    this.#k = k;
    this.#nExpertsTot = nExpertsTot;
    this.#lastSeen = new Uint32Array(nExpertsTot);
  }

  /** @param ids - at least one row */
  scan(ids: Uint8Array | Uint16Array | Int32Array): RowScan {
    const [k, nExpertsTot, lastSeen] = [this.#k, this.#nExpertsTot, this.#lastSeen];
    const rows = ids.length / k;
    const odd = { validRows: 0, negativeRows: 0, zeroRows: 0, outside: undefined, duplicate: undefined } as OddRows;
    if (this.#stamp + rows >= 2 ** 32) {
      lastSeen.fill(0);
      this.#stamp = 0;
    }
    let stamp = this.#stamp;
    for (let row = 0, at = 0; row < rows; row++) {
      stamp++;
      // As a rule a row is sound, and this is all that is done for it.
      let sound = k > 1;
      for (const end = at + k; at < end; at++) {
        const id = ids[at] as number;
        if (id < 0 || id >= nExpertsTot || lastSeen[id] === stamp) sound = false;
        else lastSeen[id] = stamp;
      }
      if (!sound) lookAt(odd, ids.subarray(at - k, at), row, nExpertsTot);
      else odd.validRows++;
    }
    this.#stamp = stamp;
    return { rows, ...odd, constant: isConstant(ids, k), firstRow: Array.from(ids.subarray(0, k)) };
  }
}

type OddRows = { -readonly [Key in Exclude<keyof RowScan, "rows" | "constant" | "firstRow">]: RowScan[Key] };

function lookAt(odd: OddRows, ids: ArrayLike<number>, row: number, nExpertsTot: number): void {
  let [negative, zero, valid] = [false, true, true];
  let twice: number | undefined;
  const seen = new Set<number>();
  for (let slot = 0; slot < ids.length; slot++) {
    const id = ids[slot] as number;
    if (id !== 0) zero = false;
    if (id < 0 || id >= nExpertsTot) {
      valid = false;
      if (id === -1) negative = true;
      else odd.outside ??= { row, id };
    } else if (seen.has(id)) twice ??= id;
    else seen.add(id);
  }
  if (twice !== undefined) odd.duplicate ??= { row, id: twice };
  if (negative) odd.negativeRows++;
  if (zero) odd.zeroRows++;
  if (valid && twice === undefined) odd.validRows++;
}

function isConstant(ids: ArrayLike<number>, k: number): boolean {
  for (let at = k; at < ids.length; at++) if (ids[at] !== ids[at - k]) return false;
  return true;
}
