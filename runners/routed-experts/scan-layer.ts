/** What is odd about one layer's ids, found in one pass. */
import { createHash } from "node:crypto";
import type { DecodedIds } from "./decoded-ids.ts";

export interface LayerScan {
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
  /** Equal for layers that hold the same ids. */
  readonly digest: string;
}

export interface Place {
  readonly row: number;
  readonly id: number;
}

export function scanLayer({ ids, rows, layers, k }: DecodedIds, column: number, nExpertsTot: number): LayerScan {
  let [validRows, negativeRows, zeroRows] = [0, 0, 0];
  let outside: Place | undefined;
  let duplicate: Place | undefined;
  let constant = true;
  const own = new Int32Array(rows * k);
  /** The row in which each expert was last seen, plus one. */
  const lastSeen = new Uint32Array(nExpertsTot);
  for (let row = 0; row < rows; row++) {
    const from = (row * layers + column) * k;
    let [negative, zero, valid] = [false, true, true];
    let twice: number | undefined;
    for (let slot = 0; slot < k; slot++) {
      const id = ids[from + slot] as number;
      if (id !== 0) zero = false;
      if (id !== ids[column * k + slot]) constant = false;
      if (id < 0 || id >= nExpertsTot) {
        valid = false;
        if (id === -1) negative = true;
        else outside ??= { row, id };
      } else if (lastSeen[id] === row + 1) twice ??= id;
      else lastSeen[id] = row + 1;
    }
    if (twice !== undefined) duplicate ??= { row, id: twice };
    if (negative) negativeRows++;
    if (zero) zeroRows++;
    if (valid && twice === undefined) validRows++;
    own.set(ids.subarray(from, from + k), row * k);
  }
  const digest = createHash("sha256").update(own).digest("hex");
  return { validRows, negativeRows, zeroRows, outside, duplicate, constant, digest };
}
