/**
 * Does this routing data route exactly what was selected? Checked from the input alone, with code that shares nothing
 * with the implementations, so that it can judge either of them, or a dump of a GPU kernel's.
 */
import { bf16ToNumber, f16ToNumber, type HalfFormat } from "../half-floats.ts";
import type { RoutingData, RoutingInput, WeightArray } from "./routing-data.ts";
import { type Findings, type InvariantReport, report, startFindings, toReport } from "./violations.ts";

/** What a flat index counts: token*K + rank after the row sort (reference chain), or token*K + slot (fused). */
export type FlatIndex = "row-sorted" | "slot";

export interface CheckOptions {
  /** What the bits of `Uint16Array` weights mean. Default "bf16". */
  readonly halfFormat?: HalfFormat;
  /** Violations listed in full, besides the first of each invariant; all are counted. Default 20. */
  readonly maxViolations?: number;
}

/**
 * Checks every invariant that both implementations promise. Time is linear in NK (times K where rows are out of order).
 *
 * - `length`, `dtype`: arrays have E or NK elements, weights the input's dtype. Where these fail, nothing else is checked.
 * - `hist`: each expert's count is the input's. `hist_sum`: the counts sum to NK.
 * - `permutation`: `topkIndx` has each flat index exactly once. `inverse`: `gateIndx[topkIndx[j]] = j`.
 * - `bucket`: the entry at each position chose the expert that owns the position.
 * - `finite`: `gateScal` has no NaN or infinity.
 * - `gate_scal` (slot order only): the weight at each position is that of its entry, to the bit.
 * - `multiset`: each token's (expert, weight) pairs, as found through the positions, are the input's, to the bit; hence
 *   each expert's (token, weight) pairs are as well.
 */
export function checkRoutingData<W extends WeightArray>(
  input: RoutingInput<W>,
  data: RoutingData<W>,
  flatIndex: FlatIndex,
  options: CheckOptions = {},
): InvariantReport {
  const findings = startFindings(options.maxViolations ?? 20);
  checkShapes(input, data, findings);
  if (findings.violationCount > 0) return toReport(findings);
  const entries = localEntries(input);
  const hist = checkHist(entries.experts, data.hist, findings);
  const owner = positionOwners(hist, entries.experts.length);
  const positionOf = checkPermutation(data, findings);
  checkBuckets(flatIndex === "slot" ? entries.experts : rowsSorted(entries.experts, input), owner, data, findings);
  checkWeights(entries.weights, data, flatIndex, options.halfFormat ?? "bf16", findings);
  checkMultisets(entries, owner, positionOf, data.gateScal, input.nExpertsAct, findings);
  return toReport(findings);
}

interface LocalEntries<W extends WeightArray> {
  /** [NK] the bucket that each entry belongs into. */
  readonly experts: Int32Array;
  /** [NK] the weight that it must have there: 0 where the expert lives on another rank. */
  readonly weights: W;
}

function localEntries<W extends WeightArray>(input: RoutingInput<W>): LocalEntries<W> {
  const { topkIds, topkWeights, expertMap } = input;
  if (expertMap === undefined) return { experts: topkIds, weights: topkWeights };
  const isLocal = (id: number): boolean => id >= 0 && id < expertMap.length && (expertMap[id] ?? -1) >= 0;
  return {
    experts: topkIds.map((id) => (isLocal(id) ? (expertMap[id] ?? 0) : 0)),
    weights: topkWeights.map((weight, i) => (isLocal(topkIds[i] ?? -1) ? weight : 0)) as W,
  };
}

function checkShapes<W extends WeightArray>(input: RoutingInput<W>, data: RoutingData<W>, findings: Findings): void {
  const nk = input.topkIds.length;
  const lengths: [string, number, number][] = [
    ["topk_weights", input.topkWeights.length, nk],
    ["topk_ids", nk, input.nTokens * input.nExpertsAct],
    ["hist", data.hist.length, input.nExpertsTot],
    ["topk_indx", data.topkIndx.length, nk],
    ["gate_indx", data.gateIndx.length, nk],
    ["gate_scal", data.gateScal.length, nk],
  ];
  for (const [name, found, expected] of lengths) {
    findings.checked++;
    if (found === expected) continue;
    report(findings, { invariant: "length", expected: `${name} of ${expected}`, found: `${found} elements` });
  }
  findings.checked++;
  const [expected, found] = [input.topkWeights.constructor.name, data.gateScal.constructor.name];
  if (expected !== found) report(findings, { invariant: "dtype", expected: `gate_scal as ${expected}`, found });
}

/** Returns the true histogram, from which the buckets follow. */
function checkHist(experts: Int32Array, found: Int32Array, findings: Findings): Int32Array {
  const hist = new Int32Array(found.length);
  for (const expert of experts) hist[expert] = (hist[expert] ?? 0) + 1;
  let sum = 0;
  for (let expert = 0; expert < hist.length; expert++) {
    findings.checked++;
    sum += found[expert] ?? 0;
    if (hist[expert] === found[expert]) continue;
    report(findings, { invariant: "hist", expert, expected: `${hist[expert]}`, found: `${found[expert]}` });
  }
  findings.checked++;
  if (sum !== experts.length) {
    report(findings, { invariant: "hist_sum", expected: `${experts.length}`, found: `${sum}` });
  }
  return hist;
}

/** [NK] the expert that owns each position. */
export function positionOwners(hist: Int32Array, nk: number): Int32Array {
  const owner = new Int32Array(nk);
  let start = 0;
  for (let expert = 0; expert < hist.length; expert++) {
    const end = start + (hist[expert] ?? 0);
    owner.fill(expert, start, end);
    start = end;
  }
  return owner;
}

/** Returns flat index -> position as `topkIndx` has it, -1 where it has none: `gateIndx` may be wrong on its own. */
function checkPermutation({ topkIndx, gateIndx }: RoutingData<WeightArray>, findings: Findings): Int32Array {
  const nk = topkIndx.length;
  const positionOf = new Int32Array(nk).fill(-1);
  for (let position = 0; position < nk; position++) {
    findings.checked += 2;
    const flat = topkIndx[position] ?? -1;
    const before = positionOf[flat];
    if (before !== -1) {
      const expected = `a flat index in [0, ${nk}) that no other position has`;
      report(findings, { invariant: "permutation", position, expected, found: `${flat}` });
      continue;
    }
    positionOf[flat] = position;
    if (gateIndx[flat] !== position) {
      const expected = `gate_indx[${flat}] = ${position}`;
      report(findings, { invariant: "inverse", position, expected, found: `${gateIndx[flat]}` });
    }
  }
  return positionOf;
}

function checkBuckets(
  expertOfFlat: Int32Array,
  owner: Int32Array,
  { topkIndx }: RoutingData<WeightArray>,
  findings: Findings,
): void {
  for (let position = 0; position < owner.length; position++) {
    findings.checked++;
    const chosen = expertOfFlat[topkIndx[position] ?? -1];
    const expert = owner[position] ?? -1;
    // Where there is no such flat index, `permutation` has said so.
    if (chosen === undefined || chosen === expert) continue;
    const found = `flat index ${topkIndx[position]}, which chose expert ${chosen}`;
    report(findings, { invariant: "bucket", position, expert, expected: `an entry of expert ${expert}`, found });
  }
}

/** Each row's experts in ascending order. */
function rowsSorted(experts: Int32Array, { nExpertsAct }: RoutingInput<WeightArray>): Int32Array {
  const sorted = experts.slice();
  for (let start = 0; start < sorted.length; start += nExpertsAct) sorted.subarray(start, start + nExpertsAct).sort();
  return sorted;
}

function checkWeights<W extends WeightArray>(
  weights: W,
  { topkIndx, gateScal }: RoutingData<W>,
  flatIndex: FlatIndex,
  halfFormat: HalfFormat,
  findings: Findings,
): void {
  const toNumber = halfFormat === "bf16" ? bf16ToNumber : f16ToNumber;
  const isHalf = gateScal instanceof Uint16Array;
  for (let position = 0; position < gateScal.length; position++) {
    findings.checked++;
    const raw = gateScal[position] ?? 0;
    const value = isHalf ? toNumber(raw) : raw;
    if (!Number.isFinite(value)) {
      report(findings, { invariant: "finite", position, expected: "a finite weight", found: `${value}` });
    }
    if (flatIndex === "row-sorted") continue;
    findings.checked++;
    const expected = weights[topkIndx[position] ?? -1];
    if (expected === undefined || Object.is(raw, expected)) continue;
    report(findings, { invariant: "gate_scal", position, expected: `${expected}`, found: `${raw}` });
  }
}

function checkMultisets<W extends WeightArray>(
  entries: LocalEntries<W>,
  owner: Int32Array,
  positionOf: Int32Array,
  gateScal: W,
  rowLength: number,
  findings: Findings,
): void {
  const taken = new Uint8Array(rowLength);
  for (let start = 0; start < owner.length; start += rowLength) {
    findings.checked++;
    taken.fill(0);
    for (let slot = 0; slot < rowLength; slot++) {
      const position = positionOf[start + slot] ?? -1;
      const expert = owner[position] ?? -1;
      const weight = gateScal[position] ?? NaN;
      const match = position < 0 ? -1 : findEntry(entries, start, taken, slot, expert, weight);
      if (match < 0) {
        const found =
          position < 0 ? `no position for flat index ${start + slot}` : `expert ${expert}, weight ${weight}`;
        report(findings, { invariant: "multiset", token: start / rowLength, expected: "an entry of the token", found });
        break;
      }
      taken[match] = 1;
    }
  }
}

/** The slot of a row's entry that is not taken and equals (expert, weight); -1 if there is none. */
function findEntry<W extends WeightArray>(
  { experts, weights }: LocalEntries<W>,
  start: number,
  taken: Uint8Array,
  firstGuess: number,
  expert: number,
  weight: number,
): number {
  // In slot order the first guess is right; after a row sort the search goes through the row.
  for (let tried = -1; tried < taken.length; tried++) {
    const slot = tried < 0 ? firstGuess : tried;
    const at = start + slot;
    if (taken[slot] === 0 && experts[at] === expert && Object.is(weights[at], weight)) return slot;
  }
  return -1;
}
