/** Expert ids of one token as a set. K is small (8 or so), so a search of the row beats building sets. */

/** How many experts one row chose and the other did not, each swap counted once. Rows are [start, start + k). */
export function swappedIds(a: ArrayLike<number>, b: ArrayLike<number>, start: number, k: number): number {
  return Math.max(idsNotIn(a, b, start, k), idsNotIn(b, a, start, k));
}

/** Where `id` stands in the row [start, start + k), or -1. */
export function findId(ids: ArrayLike<number>, id: number, start: number, k: number): number {
  for (let slot = start; slot < start + k; slot++) if (ids[slot] === id) return slot;
  return -1;
}

export function sameOrder(a: ArrayLike<number>, b: ArrayLike<number>, start: number, k: number): boolean {
  for (let slot = start; slot < start + k; slot++) if (a[slot] !== b[slot]) return false;
  return true;
}

/** Distinct ids of `a` that are not among those of `b`: an id chosen twice must not hide the one that it pushed out. */
function idsNotIn(a: ArrayLike<number>, b: ArrayLike<number>, start: number, k: number): number {
  let count = 0;
  for (let slot = start; slot < start + k; slot++) {
    const id = a[slot]!;
    if (findId(a, id, start, k) === slot && findId(b, id, start, k) < 0) count++;
  }
  return count;
}
