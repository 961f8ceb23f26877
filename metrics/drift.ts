/**
 * Has a model's exact match left its own history? A self-starting CUSUM (Hawkins 1987): each night is set against the
 * mean and the spread of the nights before it, which are known from these nights alone, and standardised so that what
 * comes out is standard normal whatever they are. So the rate of false alarms is stated by the threshold
 * (cusum-run-length.ts) and not by a constant that somebody chose for one model.
 *
 * The spread is the history's own. The same docs asked greedily repeat far better than chance (often to the doc), fresh
 * samples do not; only the nights can tell. While they are few, the binomial spread of one night stands in for nights
 * (PRIOR_NIGHTS) that there were not: an upper bound for the same docs, because docs differ in how hard they are.
 * `docs/nightly.md` has what a simulation says of all this.
 */
import { CUSUM_ALLOWANCE } from "./cusum-run-length.ts";

/** One night of a series: how many docs were right, of how many. */
export interface Night {
  readonly correct: number;
  readonly n: number;
}

/** The level that a night is set against. Shares, 0 to 1. */
export interface Level {
  readonly mean: number;
  /** Night to night; never below one doc, the smallest step there is. */
  readonly deviation: number;
  /** Nights that it was taken from. */
  readonly nights: number;
  /** Where the next night lies in 95 of 100 cases, if nothing changes; within 0 and 1. */
  readonly low: number;
  readonly high: number;
}

export type Drift =
  /** No night to compare with. */
  | { readonly kind: "too short" }
  /** @field statistic - the CUSUM of losses after the last night; an alarm is above the threshold */
  | { readonly kind: "steady"; readonly level: Level; readonly statistic: number }
  | {
      readonly kind: "loss" | "gain";
      /** Of the nights before the change. */
      readonly level: Level;
      readonly statistic: number;
      /** Mean of the nights from `firstBad` to the last, minus that level. */
      readonly change: number;
      /** Index of the last night before the change, where its beginning is most likely; and of the one after it. */
      readonly lastGood: number;
      readonly firstBad: number;
    };

/** How many nights' worth of degrees of freedom the binomial spread counts for. */
const PRIOR_NIGHTS = 4;

/** An alarm ends after about two nights at the old level: what the CUSUM may stand above its threshold. */
const OVERSHOOT = 1;

/** The two-sided 95 % point of the standard normal distribution: scipy.stats.norm.ppf(0.975). */
const Z_95 = 1.959963984540054;

/** A loss where there is one, else a gain; of what is so after the last night. `threshold`: see `cusumThreshold`. */
export function driftOf(nights: readonly Night[], threshold: number): Drift {
  if (nights.length < 2) return { kind: "too short" };
  const loss = follow(nights, threshold, -1);
  if (loss.changed) return shifted("loss", nights, loss);
  const gain = follow(nights, threshold, 1);
  if (gain.changed) return shifted("gain", nights, gain);
  return { kind: "steady", level: levelOf(loss.reference), statistic: loss.statistic };
}

/** Index of the first night after which a loss was called, however it went on; undefined where none was. */
export function firstLoss(nights: readonly Night[], threshold: number): number | undefined {
  return follow(nights, threshold, -1).firstAlarm;
}

interface Followed {
  readonly firstAlarm: number | undefined;
  readonly statistic: number;
  readonly changed: boolean;
  readonly firstBad: number;
  readonly reference: Reference;
}

function shifted(
  kind: "loss" | "gain",
  nights: readonly Night[],
  { reference, firstBad, statistic }: Followed,
): Extract<Drift, { kind: "loss" | "gain" }> {
  const level = levelOf(reference);
  const since = nights.slice(firstBad);
  const mean = since.reduce((sum, { correct, n }) => sum + correct / n, 0) / since.length;
  return { kind, level, statistic, change: mean - level.mean, lastGood: firstBad - 1, firstBad };
}

function follow(nights: readonly Night[], threshold: number, sign: 1 | -1): Followed {
  let reference = new Reference();
  /** The nights since the last zero are in the reference too until there is an alarm: then they are taken out. */
  let atZero = reference;
  let firstBad = 0;
  let statistic = 0;
  let changed = false;
  let firstAlarm: number | undefined;
  for (const [index, night] of nights.entries()) {
    const u = sign * reference.standardised(night);
    const before = statistic;
    statistic = Math.max(0, before + u - CUSUM_ALLOWANCE);
    if (!changed && before === 0 && statistic > 0) {
      firstBad = index;
      atZero = reference;
    }
    if (statistic > threshold) {
      if (!changed) {
        const begin = beginning(nights, firstBad, index, atZero.mean);
        reference = nights.slice(firstBad, begin).reduce((sum, each) => sum.with(each), atZero);
        firstBad = begin;
      }
      changed = true;
      firstAlarm ??= index;
      statistic = Math.min(statistic, threshold + OVERSHOOT);
    } else {
      changed = false;
      reference = reference.with(night);
    }
  }
  return { firstAlarm, statistic, changed, firstBad, reference };
}

/**
 * The most likely first night of a change of level that is known to begin between two nights, the last one included: the
 * greatest n * (mean since then - level)^2, the likelihood ratio of a shifted mean.
 */
function beginning(nights: readonly Night[], from: number, to: number, level: number): number {
  let [best, greatest, sum] = [to, -1, 0];
  for (let index = to; index >= from; index--) {
    const { correct, n } = nights[index]!;
    sum += correct / n - level;
    const likelihood = (sum * sum) / (to - index + 1);
    if (likelihood > greatest) [best, greatest] = [index, likelihood];
  }
  return best;
}

/** The nights so far, as sums; a new one for each night, so that an earlier one can be gone back to. */
class Reference {
  readonly nights: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly squares: number;
  readonly correct: number;
  readonly docs: number;

  constructor(nights = 0, mean = 0, squares = 0, correct = 0, docs = 0) {
    this.nights = nights;
    this.mean = mean;
    this.squares = squares;
    this.correct = correct;
    this.docs = docs;
  }

  with({ correct, n }: Night): Reference {
    const away = correct / n - this.mean;
    const mean = this.mean + away / (this.nights + 1);
    const squares = this.squares + away * (correct / n - mean);
    return new Reference(this.nights + 1, mean, squares, this.correct + correct, this.docs + n);
  }

  get degrees(): number {
    return PRIOR_NIGHTS + this.nights - 1;
  }

  /** Of one night from the mean of all. */
  get deviation(): number {
    const docs = this.docs / this.nights;
    // Never 0, not even where all docs were right: Laplace's rule of succession.
    const p = (this.correct + 1) / (this.docs + 2);
    const binomial = (p * (1 - p)) / docs;
    return Math.max(1 / docs, Math.sqrt((PRIOR_NIGHTS * binomial + this.squares) / this.degrees));
  }

  /** Standard normal, by Wallace's approximation (1959) of the t distribution; 0 where there is nothing to compare with. */
  standardised({ correct, n }: Night): number {
    if (this.nights === 0) return 0;
    const t = (correct / n - this.mean) / (this.deviation * Math.sqrt(1 + 1 / this.nights));
    const degrees = this.degrees;
    const size = ((8 * degrees + 1) / (8 * degrees + 3)) * Math.sqrt(degrees * Math.log1p((t * t) / degrees));
    return Math.sign(t) * size;
  }
}

function levelOf(reference: Reference): Level {
  const { mean, deviation, nights, degrees } = reference;
  // Wallace's approximation the other way round.
  const z = (Z_95 * (8 * degrees + 3)) / (8 * degrees + 1);
  const half = Math.sqrt(degrees * Math.expm1((z * z) / degrees)) * deviation * Math.sqrt(1 + 1 / nights);
  return { mean, deviation, nights, low: Math.max(0, mean - half), high: Math.min(1, mean + half) };
}
