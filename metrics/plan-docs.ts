/** How many docs a decision takes: the power of the verdict, counted out and not simulated. */
import { binomialCdf, binomialPmf } from "./binomial.ts";
import { gainShown, liesAbove, liesBelow, lossShown } from "./decide.ts";
import type { Decision } from "./decide.ts";
import { ONE_SIDED_LEVEL } from "./interval.ts";

/** What is assumed of the two variants. */
export interface Assumed {
  /** Share of docs that only one variant answers right, 0 to 1. */
  readonly discordance: number;
  /** fused - baseline, as a share; at most the discordance either way. Default: 0. */
  readonly difference?: number;
  /** As a share: 0.01 is one point. */
  readonly margin: number;
  /** Of one side. Default: 0.025. */
  readonly alpha?: number;
}

/** How likely each decision on `docs` docs is. They add up to 1. */
export type DecisionProbabilities = Readonly<Record<Decision, number>>;

/** Numbers of discordant docs that are less likely than this, all together, are not counted out. */
const NEGLECTED = 1e-9;

/**
 * Exact, by going through every number of discordant docs and of losses among them.
 *
 * @throws RangeError when a difference is larger than the discordance, or a share no share
 */
export function decisionProbabilities(docs: number, assumed: Assumed): DecisionProbabilities {
  const { discordance, difference = 0, margin, alpha = ONE_SIDED_LEVEL } = checked(assumed);
  const total = { equivalent: 0, improved: 0, regressed: 0, inconclusive: 0 };
  const lossShare = discordance === 0 ? 0 : (1 - difference / discordance) / 2;
  const mean = docs * discordance;
  const spread = 7 * Math.sqrt(mean) + 20;
  const to = Math.min(docs, Math.ceil(mean + spread));
  for (let discordant = Math.max(0, Math.floor(mean - spread)); discordant <= to; discordant++) {
    const probability = binomialPmf(discordant, docs, discordance);
    if (probability < NEGLECTED / docs) continue;
    const { improved, equivalent, regressed } = regions(docs, discordant, margin, alpha);
    // Losses up to `improved` are a gain, from `equivalent` on up to its end equivalent, from `regressed` on a loss.
    const upTo = (losses: number): number => binomialCdf(losses, discordant, lossShare);
    const [from, end] = equivalent;
    const inside = from > end ? 0 : upTo(end) - upTo(from - 1);
    const gain = upTo(from > end ? improved : Math.min(improved, from - 1));
    const loss = 1 - upTo((from > end ? regressed : Math.max(regressed, end + 1)) - 1);
    total.equivalent += probability * inside;
    total.improved += probability * gain;
    total.regressed += probability * loss;
  }
  const { equivalent, improved, regressed } = total;
  return { ...total, inconclusive: Math.max(0, 1 - equivalent - improved - regressed) };
}

/** Of so many discordant docs, which numbers of losses decide what. */
function regions(
  n: number,
  discordant: number,
  margin: number,
  level: number,
): { readonly improved: number; readonly equivalent: readonly [from: number, to: number]; readonly regressed: number } {
  const at = (losses: number): { n: number; onlyBaseline: number; onlyFused: number } => ({
    n,
    onlyBaseline: losses,
    onlyFused: discordant - losses,
  });
  // Each of these holds from some number of losses on, or up to one.
  const first = (holds: (losses: number) => boolean): number => firstWhere(discordant + 1, holds);
  return {
    improved: first((losses) => !gainShown(at(losses), level)) - 1,
    equivalent: [
      first((losses) => liesBelow(at(losses), margin, level)),
      first((losses) => !liesAbove(at(losses), -margin, level)) - 1,
    ],
    regressed: first((losses) => lossShown(at(losses), level)),
  };
}

/** The first whole number below `end` from which on `holds` is true; `end` where it never is. */
function firstWhere(end: number, holds: (value: number) => boolean): number {
  let [low, high] = [0, end];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export interface PlanOptions extends Assumed {
  /** How likely the decision shall be. Default: 0.8. */
  readonly power?: number;
  /** Which decision. Default: `equivalent` where the difference lies within the margin, else the change that it is. */
  readonly decision?: Exclude<Decision, "inconclusive">;
}

export type DocsPlan =
  | { readonly kind: "docs"; readonly decision: Decision; readonly docs: number }
  /** No number of docs up to `most` makes the decision that likely. */
  | { readonly kind: "out of reach"; readonly decision: Decision; readonly most: number };

/** The search ends this close, as a share of the docs: a discordance is never known so well. Up to 500 docs it is exact. */
const CLOSE = 0.002;

/** Beyond a million docs nobody asks. */
const MOST_DOCS = 1_000_000;

/**
 * How many docs make a decision likely. Power goes up and down a little from one number of docs to the next, since
 * docs are whole: the answer is one that has the power, and a few less (0.2 %) may have it too.
 *
 * @throws RangeError as `decisionProbabilities` does, and where the power is not in (0, 1)
 */
export function planDocs(options: PlanOptions): DocsPlan {
  const { power = 0.8, difference = 0, margin } = options;
  if (!(power > 0 && power < 1)) throw new RangeError(`a power is ${power}, not between 0 and 1`);
  const change = difference < 0 ? "regressed" : "improved";
  const decision = options.decision ?? (Math.abs(difference) < margin ? "equivalent" : change);
  const enough = (docs: number): boolean => decisionProbabilities(docs, options)[decision] >= power;
  let high = 1;
  while (!enough(high)) {
    if (high >= MOST_DOCS) return { kind: "out of reach", decision, most: MOST_DOCS };
    high = Math.min(MOST_DOCS, 2 * high);
  }
  let low = Math.floor(high / 2);
  while (high - low > Math.max(1, CLOSE * high)) {
    const middle = Math.floor((low + high) / 2);
    if (enough(middle)) high = middle;
    else low = middle;
  }
  return { kind: "docs", decision, docs: high };
}

function checked(assumed: Assumed): Assumed {
  const { discordance, difference = 0, margin } = assumed;
  if (!(discordance >= 0 && discordance <= 1)) throw new RangeError(`a discordance is ${discordance}, not 0 to 1`);
  if (!(Math.abs(difference) <= discordance)) {
    throw new RangeError(`a difference of ${difference} cannot come from a discordance of ${discordance}`);
  }
  if (!(margin >= 0 && margin < 1)) throw new RangeError(`a margin is ${margin}, not 0 to 1`);
  return assumed;
}
