/**
 * Finds rows that no router can have chosen. As a rule there are none, and all ids of two captures go through here, so
 * this is the loop that decides how fast captures are compared.
 */
export type IdArray = Uint8Array | Uint16Array | Int32Array;

/** The first row from `row` on that has an id outside of [0, E) or one twice; the number of rows where there is none. */
export type FindUnsound = (ids: IdArray, row: number) => number;

export function unsoundFinder(k: number, nExpertsTot: number): FindUnsound {
  if (k !== 8) return unsoundOfAny(k, nExpertsTot);
  const unsoundBytes = unsoundBytes8(nExpertsTot);
  return (ids, row) => {
    // Words of a view that starts between two of them cannot be looked at.
    if (!(ids instanceof Uint8Array) || ids.byteOffset % 4 !== 0) return unsound8(ids, row, nExpertsTot);
    return unsoundBytes(new Int32Array(ids.buffer, ids.byteOffset, ids.length / 4), row);
  };
}

/** Any K: in which row each expert was last seen. */
function unsoundOfAny(k: number, nExpertsTot: number): FindUnsound {
  // Int32, as V8 compares these without turning them into floating-point numbers.
  const lastSeen = new Int32Array(nExpertsTot);
  let stamp = 0;
  return (ids, row) => {
    const rows = ids.length / k;
    if (stamp + rows - row >= 2 ** 31) {
      lastSeen.fill(0);
      stamp = 0;
    }
    for (let at = row * k; row < rows; row++) {
      stamp++;
      let sound = true;
      for (const end = at + k; at < end; at++) {
        const id = ids[at] as number;
        if (id < 0 || id >= nExpertsTot || lastSeen[id] === stamp) sound = false;
        else lastSeen[id] = stamp;
      }
      if (!sound) return row;
    }
    return rows;
  };
}

/** K = 8, the most common: 28 comparisons of registers take half the time of 8 look-ups in a table. */
function unsound8(ids: IdArray, row: number, nExpertsTot: number): number {
  const e = nExpertsTot;
  for (let at = row * 8; at < ids.length; at += 8) {
    const i0 = ids[at]!;
    const i1 = ids[at + 1]!;
    const i2 = ids[at + 2]!;
    const i3 = ids[at + 3]!;
    const i4 = ids[at + 4]!;
    const i5 = ids[at + 5]!;
    const i6 = ids[at + 6]!;
    const i7 = ids[at + 7]!;
    // Not below any of them, and below 0 where one is; where E is a power of two it is below E where all are.
    const all = i0 | i1 | i2 | i3 | i4 | i5 | i6 | i7;
    if (all < 0) return at / 8;
    if (all >= e && (i0 >= e || i1 >= e || i2 >= e || i3 >= e || i4 >= e || i5 >= e || i6 >= e || i7 >= e)) {
      return at / 8;
    }
    if (i0 === i1 || i0 === i2 || i0 === i3 || i0 === i4 || i0 === i5 || i0 === i6 || i0 === i7) return at / 8;
    if (i1 === i2 || i1 === i3 || i1 === i4 || i1 === i5 || i1 === i6 || i1 === i7) return at / 8;
    if (i2 === i3 || i2 === i4 || i2 === i5 || i2 === i6 || i2 === i7) return at / 8;
    if (i3 === i4 || i3 === i5 || i3 === i6 || i3 === i7 || i4 === i5 || i4 === i6 || i4 === i7) return at / 8;
    if (i5 === i6 || i5 === i7 || i6 === i7) return at / 8;
  }
  return ids.length / 8;
}

const EACH_BYTE = 0x01010101;
const TOP_BITS = 0x80808080 | 0;
const LOW_BITS = 0x7f7f7f7f;

/**
 * K = 8 in bytes: two words hold a row. Turned against each other by 8, 16 and 24 bits, every byte meets every other one,
 * and where two are equal their exclusive or has a byte of 0, which `(x - 1) & ~x` shows in that byte's top bit.
 */
function unsoundBytes8(nExpertsTot: number): (words: Int32Array, row: number) => number {
  const e = Math.min(nExpertsTot, 256);
  // Added to a byte's lower seven bits, this reaches the top bit where they are at least E (E - 128, where E is above 128).
  const rest = ((e <= 128 ? 128 - e : 256 - e) * EACH_BYTE) | 0;
  return (words, row) => {
    for (let at = row * 2; at < words.length; at += 2) {
      const a = words[at]!;
      const b = words[at + 1]!;
      const b8 = (b >>> 8) | (b << 24);
      const b16 = (b >>> 16) | (b << 16);
      const b24 = (b >>> 24) | (b << 8);
      let x = a ^ ((a >>> 8) | (a << 24));
      let twice = (x - EACH_BYTE) & ~x;
      x = a ^ ((a >>> 16) | (a << 16));
      twice |= (x - EACH_BYTE) & ~x;
      x = b ^ b8;
      twice |= (x - EACH_BYTE) & ~x;
      x = b ^ b16;
      twice |= (x - EACH_BYTE) & ~x;
      x = a ^ b;
      twice |= (x - EACH_BYTE) & ~x;
      x = a ^ b8;
      twice |= (x - EACH_BYTE) & ~x;
      x = a ^ b16;
      twice |= (x - EACH_BYTE) & ~x;
      x = a ^ b24;
      twice |= (x - EACH_BYTE) & ~x;
      const ofA = (a & LOW_BITS) + rest;
      const ofB = (b & LOW_BITS) + rest;
      const outside = e <= 128 ? ofA | a | ofB | b : (ofA & a) | (ofB & b);
      if (((twice | outside) & TOP_BITS) !== 0) return at / 2;
    }
    return words.length / 2;
  };
}
