/**
 * The random numbers of CPython's `random.Random(seed)`, bit for bit, as far as drawing few-shot examples needs them.
 *
 * Generator and seeding by array: Matsumoto and Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998, and their 2002
 * initialisation. What CPython adds (seed to array, `getrandbits`, `sample`) is stated at each method.
 */
const STATE_WORDS = 624;
const SHIFT_WORDS = 397;
const TWIST = 0x9908b0df;
const UPPER_BIT = 0x80000000;
const LOWER_BITS = 0x7fffffff;

export class MersenneTwister {
  readonly #state: Uint32Array = new Uint32Array(STATE_WORDS);
  #next = STATE_WORDS;

  /** @param seed - a whole number; as in CPython its sign is ignored */
  constructor(seed: number | bigint) {
    this.#seedByArray(limbs(seed));
  }

  /** CPython's `getrandbits(count)` for 1 to 32 bits: the top bits of one output. */
  bits(count: number): number {
    return this.#word() >>> (32 - count);
  }

  /** CPython's `random()`: a multiple of 2^-53 in [0, 1), from two outputs. */
  float(): number {
    const high = this.#word() >>> 5;
    const low = this.#word() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /**
   * CPython's `randrange(bound)`: outputs cut to the bound's bit length, the first one below it.
   *
   * @param bound - 1 to 2^32 - 1
   */
  below(bound: number): number {
    const bitLength = 32 - Math.clz32(bound);
    for (;;) {
      const draw = this.bits(bitLength);
      if (draw < bound) return draw;
    }
  }

  /**
   * The indices that CPython's `sample(population, count)` picks, in its order, without a copy of the population.
   *
   * @param size - how many there are to pick from, below 2^32
   * @param count - how many to pick, 0 to `size`
   */
  sampleIndices(size: number, count: number): number[] {
    if (count > size) throw new RangeError(`cannot draw ${count} from ${size} without repeats`);
    // CPython keeps a list while that is smaller than a set of the picked would be.
    let listSize = 21;
    if (count > 5) listSize += 4 ** Math.ceil(Math.log(count * 3) / Math.log(4));
    return size <= listSize ? this.#sampleByList(size, count) : this.#sampleBySet(size, count);
  }

  #sampleByList(size: number, count: number): number[] {
    const left = Array.from({ length: size }, (_, index) => index);
    return Array.from({ length: count }, (_, drawn) => {
      const at = this.below(size - drawn);
      const picked = left[at]!;
      left[at] = left[size - drawn - 1]!;
      return picked;
    });
  }

  #sampleBySet(size: number, count: number): number[] {
    const picked = new Set<number>();
    while (picked.size < count) picked.add(this.below(size));
    return [...picked];
  }

  #word(): number {
    if (this.#next === STATE_WORDS) this.#regenerate();
    let word = this.#state[this.#next++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #regenerate(): void {
    const state = this.#state;
    for (let i = 0; i < STATE_WORDS; i++) {
      const joined = (state[i]! & UPPER_BIT) | (state[(i + 1) % STATE_WORDS]! & LOWER_BITS);
      const shifted = state[(i + SHIFT_WORDS) % STATE_WORDS]!;
      state[i] = shifted ^ (joined >>> 1) ^ ((joined & 1) === 0 ? 0 : TWIST);
    }
    this.#next = 0;
  }

  #seedByArray(key: readonly number[]): void {
    const state = this.#state;
    state[0] = 19650218;
    for (let i = 1; i < STATE_WORDS; i++) state[i] = Math.imul(1812433253, mixed(state, i)) + i;
    let i = 1;
    const advance = (): void => {
      i++;
      if (i < STATE_WORDS) return;
      state[0] = state[STATE_WORDS - 1]!;
      i = 1;
    };
    for (let step = 0; step < Math.max(STATE_WORDS, key.length); step++) {
      const at = step % key.length;
      state[i] = (state[i]! ^ Math.imul(mixed(state, i), 1664525)) + key[at]! + at;
      advance();
    }
    for (let step = 1; step < STATE_WORDS; step++) {
      state[i] = (state[i]! ^ Math.imul(mixed(state, i), 1566083941)) - i;
      advance();
    }
    state[0] = UPPER_BIT;
  }
}

function mixed(state: Uint32Array, i: number): number {
  const before = state[i - 1]!;
  return before ^ (before >>> 30);
}

/** CPython's seed array: the 32-bit words of the seed's magnitude, lowest first, at least one. */
function limbs(seed: number | bigint): number[] {
  let rest = BigInt(seed);
  if (rest < 0n) rest = -rest;
  const words = [Number(rest & 0xffffffffn)];
  for (rest >>= 32n; rest > 0n; rest >>= 32n) words.push(Number(rest & 0xffffffffn));
  return words;
}
