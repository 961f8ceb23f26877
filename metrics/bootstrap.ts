/** The bootstrap over docs, for whatever has no closed form: medians, ratios, sums of several scores. */
import seedrandom from "seedrandom";
import { criticalValue, ONE_SIDED_LEVEL } from "./interval.ts";
import type { Interval } from "./interval.ts";
import { normalCdf, normalQuantile } from "./normal.ts";

export interface BootstrapOptions {
  /** How many docs there are. */
  readonly docs: number;
  /**
   * The number in question, of the docs with these indices, some more than once and some not at all. The array is
   * filled anew for each call.
   */
  readonly statistic: (docs: Uint32Array) => number;
  /** Default: 10,000. */
  readonly resamples?: number;
  /** Equal seeds give equal intervals, on every machine. Default: "fusecheck". */
  readonly seed?: string;
  /** Of one side; 0.025 makes a 95 % interval. Default: 0.025. */
  readonly level?: number;
}

/**
 * - `too few docs`: under two.
 * - `no spread`: every resample gives the same, so that the bootstrap can say nothing of the error.
 */
export type BootstrapEstimate =
  | { readonly kind: "too few docs" }
  | { readonly kind: "no spread"; readonly estimate: number }
  | ({ readonly kind: "estimated"; readonly estimate: number; readonly standardError: number } & Interval);

const RESAMPLES = 10_000;

/** The acceleration needs no more groups than this, and each costs a pass over all docs. */
const JACKKNIFE_GROUPS = 2000;

/**
 * Bias-corrected and accelerated interval (BCa; Efron, JASA 82, 171-185, 1987): docs are drawn with replacement, all of
 * a doc's data together, so pairs stay pairs and repeats stay together.
 *
 * @throws RangeError when the statistic is not finite for a resample
 */
export function bootstrap(options: BootstrapOptions): BootstrapEstimate {
  const { docs, statistic, resamples = RESAMPLES, seed = "fusecheck", level = ONE_SIDED_LEVEL } = options;
  if (docs < 2) return { kind: "too few docs" };
  const estimate = finite(statistic(Uint32Array.from({ length: docs }, (_, index) => index)));
  // Of seedrandom's generators the fastest (measured); its weak low bits do not reach an index, which the high ones make.
  const draws = seedrandom.xor128(seed);
  const scale = docs / 2 ** 32;
  const sample = new Uint32Array(docs);
  const distribution = new Float64Array(resamples);
  for (let resample = 0; resample < resamples; resample++) {
    for (let index = 0; index < docs; index++) sample[index] = ((draws.int32() >>> 0) * scale) | 0;
    distribution[resample] = finite(statistic(sample));
  }
  distribution.sort();
  if (distribution[0] === distribution.at(-1)) return { kind: "no spread", estimate };
  const interval = bcaInterval(distribution, estimate, jackknife(docs, statistic), level);
  return { kind: "estimated", estimate, standardError: deviation(distribution), ...interval };
}

/** The statistic without each doc, or without each of many groups of docs of (nearly) the same size. */
function jackknife(docs: number, statistic: (docs: Uint32Array) => number): Float64Array {
  const groups = Math.min(docs, JACKKNIFE_GROUPS);
  return Float64Array.from({ length: groups }, (_, group) => {
    const from = Math.floor((group * docs) / groups);
    const to = Math.floor(((group + 1) * docs) / groups);
    const others = new Uint32Array(docs - (to - from));
    for (let index = 0; index < others.length; index++) others[index] = index < from ? index : index + to - from;
    return finite(statistic(others));
  });
}

/**
 * The interval, of the statistic's bootstrap distribution (ascending) and of its values without each doc. Quantiles
 * interpolate linearly, and ties count half, as in scipy.stats.bootstrap.
 */
export function bcaInterval(
  distribution: Float64Array,
  estimate: number,
  leftOut: ArrayLike<number>,
  level: number = ONE_SIDED_LEVEL,
): Interval {
  const z = criticalValue(level);
  const bias = normalQuantile(shareBelow(distribution, estimate));
  const a = acceleration(leftOut);
  const end = (side: number): number => {
    const shifted = bias + side * z;
    const share = normalCdf(bias + shifted / (1 - a * shifted));
    // A bias that is infinite, where the estimate lies outside of all resamples, leaves the outermost of them.
    return quantile(distribution, Number.isNaN(share) ? (bias < 0 ? 0 : 1) : share);
  };
  return { low: end(-1), high: end(1) };
}

function shareBelow(sorted: Float64Array, value: number): number {
  let below = 0;
  let equal = 0;
  for (const each of sorted) {
    if (each < value) below++;
    else if (each === value) equal++;
  }
  return (below + equal / 2) / sorted.length;
}

function acceleration(leftOut: ArrayLike<number>): number {
  const values = Float64Array.from(leftOut);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let squares = 0;
  let cubes = 0;
  for (const value of values) {
    squares += (mean - value) ** 2;
    cubes += (mean - value) ** 3;
  }
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

function quantile(sorted: Float64Array, share: number): number {
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (place - low);
}

function deviation(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError(`the statistic of a resample is ${value}`);
  return value;
}
