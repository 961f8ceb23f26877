/**
 * What two implementations' routing data must have in common: the histogram (and with it offsets and tiles), and for each
 * expert the multiset of its (token, weight) pairs. Never the order of `topkIndx`, `gateIndx` or `gateScal`: it is free
 * inside an expert, and the flat indices have different bases.
 */
import { bf16ToNumber, f16ToNumber, type HalfFormat } from "../half-floats.ts";
import { positionOwners } from "./invariants.ts";
import type { RoutingData, WeightArray } from "./routing-data.ts";
import { type InvariantReport, report, startFindings, toReport } from "./violations.ts";

export interface CompareOptions {
  /** Largest accepted difference between two weights. Default 0: routing moves weights and never changes them. */
  readonly weightTolerance?: number;
  /** What the bits of `Uint16Array` weights mean. Default "bf16". */
  readonly halfFormat?: HalfFormat;
  /** Differences listed in full, besides the first of each kind; all are counted. Default 20. */
  readonly maxViolations?: number;
}

export interface RoutingComparison extends InvariantReport {
  /** Largest difference between the weights of two entries that belong together; NaN against NaN counts as 0. */
  readonly maxWeightDifference: number;
}

/**
 * Compares routing data of the same selection, `a` as what is expected. Linear in NK. Lengths or dtypes that differ, and
 * a `topkIndx` that is no permutation, are reported and end the comparison; an expert whose counts differ is reported
 * once and its entries are not compared.
 */
export function compareRoutingData<W extends WeightArray>(
  a: RoutingData<W>,
  b: RoutingData<W>,
  nExpertsAct: number,
  options: CompareOptions = {},
): RoutingComparison {
  const { weightTolerance = 0, halfFormat = "bf16" } = options;
  const findings = startFindings(options.maxViolations ?? 20);
  const nk = a.topkIndx.length;
  const [dtypeA, dtypeB] = [a.gateScal.constructor.name, b.gateScal.constructor.name];
  findings.checked += 3;
  if (nk !== b.topkIndx.length || a.hist.length !== b.hist.length) {
    const found = `${b.topkIndx.length} entries, ${b.hist.length} experts`;
    report(findings, { invariant: "length", expected: `${nk} entries, ${a.hist.length} experts`, found });
  }
  if (dtypeA !== dtypeB) report(findings, { invariant: "dtype", expected: dtypeA, found: dtypeB });
  const sortedA = byExpertAndToken(a, nExpertsAct, halfFormat);
  const sortedB = byExpertAndToken(b, nExpertsAct, halfFormat);
  if (sortedA === undefined || sortedB === undefined) {
    report(findings, { invariant: "permutation", expected: "every flat index once", found: "one missing or repeated" });
  }
  if (findings.violationCount > 0 || sortedA === undefined || sortedB === undefined) {
    return { ...toReport(findings), maxWeightDifference: 0 };
  }

  let maxWeightDifference = 0;
  let [startA, startB] = [0, 0];
  for (let expert = 0; expert < a.hist.length; expert++) {
    const [countA, countB] = [a.hist[expert] ?? 0, b.hist[expert] ?? 0];
    findings.checked += 2;
    if (countA === countB) {
      const bucket = compareBucket(sortedA, startA, sortedB, startB, countA, weightTolerance);
      maxWeightDifference = Math.max(maxWeightDifference, bucket.maxWeightDifference);
      const at = bucket.firstDifference;
      if (at >= 0) {
        const [expected, found] = [describe(sortedA, startA + at), describe(sortedB, startB + at)];
        report(findings, { invariant: "multiset", expert, expected, found });
      }
    } else report(findings, { invariant: "hist", expert, expected: `${countA}`, found: `${countB}` });
    startA += countA;
    startB += countB;
  }
  return { ...toReport(findings), maxWeightDifference };
}

interface BucketComparison {
  /** Index within the bucket; -1 where there is no difference. */
  readonly firstDifference: number;
  readonly maxWeightDifference: number;
}

function compareBucket(
  a: SortedEntries,
  startA: number,
  b: SortedEntries,
  startB: number,
  count: number,
  tolerance: number,
): BucketComparison {
  let [firstDifference, maxWeightDifference] = [-1, 0];
  for (let i = 0; i < count; i++) {
    const [weightA = 0, weightB = 0] = [a.weights[startA + i], b.weights[startB + i]];
    const isSameToken = a.tokens[startA + i] === b.tokens[startB + i];
    const difference = Object.is(weightA, weightB) ? 0 : Math.abs(weightA - weightB);
    if (isSameToken && difference > maxWeightDifference) maxWeightDifference = difference;
    // A NaN difference is not within any tolerance.
    const isEqual = isSameToken && difference <= tolerance;
    if (!isEqual && firstDifference < 0) firstDifference = i;
  }
  return { firstDifference, maxWeightDifference };
}

function describe({ tokens, weights }: SortedEntries, at: number): string {
  return `token ${tokens[at]} with weight ${weights[at]}`;
}

interface SortedEntries {
  readonly tokens: Int32Array;
  readonly weights: Float64Array;
}

/** The entries in an order that is the same for every correct implementation: by expert, then token, then weight. */
function byExpertAndToken(
  { hist, topkIndx, gateScal }: RoutingData<WeightArray>,
  nExpertsAct: number,
  halfFormat: HalfFormat,
): SortedEntries | undefined {
  const nk = topkIndx.length;
  const positionOf = new Int32Array(nk).fill(-1);
  for (let position = 0; position < nk; position++) {
    const flat = topkIndx[position] ?? -1;
    if (positionOf[flat] !== -1) return undefined;
    positionOf[flat] = position;
  }
  const owner = positionOwners(hist, nk);
  const next = new Int32Array(hist.length);
  for (let e = 1; e < hist.length; e++) next[e] = (next[e - 1] ?? 0) + (hist[e - 1] ?? 0);
  const toNumber = halfFormat === "bf16" ? bf16ToNumber : f16ToNumber;
  const isHalf = gateScal instanceof Uint16Array;
  const tokens = new Int32Array(nk);
  const weights = new Float64Array(nk);
  // Flat indices ascend by token, so each expert's entries arrive in token order.
  for (let flat = 0; flat < nk; flat++) {
    const position = positionOf[flat] ?? 0;
    const expert = owner[position] ?? 0;
    const token = Math.floor(flat / nExpertsAct);
    const raw = gateScal[position] ?? 0;
    const weight = isHalf ? toNumber(raw) : raw;
    let at = next[expert] ?? 0;
    next[expert] = at + 1;
    for (; at > 0 && owner[at - 1] === expert && tokens[at - 1] === token && (weights[at - 1] ?? 0) > weight; at--) {
      weights[at] = weights[at - 1] ?? 0;
      tokens[at] = token;
    }
    tokens[at] = token;
    weights[at] = weight;
  }
  return { tokens, weights };
}
