/** Whether stretches of two typed arrays are equal bit by bit, at the speed of memory. */

/** Where both are typed arrays of one kind; a view of each array's bytes, made once and asked many times. */
export interface ByteComparison {
  /** Whether the elements from `begin` up to, not including, `end` are the same bits. */
  readonly same: (begin: number, end: number) => boolean;
}

const DIFFERENT: ByteComparison = { same: () => false };

/** Plain arrays, and arrays of different kinds, are never the same bits: they have to be looked at one by one. */
export function byteComparison(a: ArrayLike<number>, b: ArrayLike<number>): ByteComparison {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return DIFFERENT;
  const width = a.byteLength / a.length;
  if (a.constructor !== b.constructor || a.byteLength !== b.byteLength) return DIFFERENT;
  const [one, two] = [bytesOf(a), bytesOf(b)];
  return {
    same: (begin, end) =>
      begin === end || one.compare(two, begin * width, end * width, begin * width, end * width) === 0,
  };
}

function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
