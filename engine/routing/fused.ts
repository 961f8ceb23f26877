/**
 * The fused chain: routing data by one counting sort, in the three phases of the fused kernel (histogram, offsets,
 * placement). No row is sorted, so a flat index is token*K + original slot. Unlike the kernel, whose atomics leave the
 * order inside an expert open, it is deterministic and stable (ascending flat index), and takes any NK.
 *
 * The two loops over the entries take four per round: V8 checks an array's type, length and address anew in every round,
 * and four entries that share those checks cost about 6 ns each instead of 14.
 */
import type { RoutingData, RoutingInput, WeightArray } from "./routing-data.ts";
import { checkRoutingInput, idOutOfRange, zerosLike } from "./routing-input.ts";

/**
 * Routing data by counting sort.
 * @param out Buffers to fill and return, of exactly the right lengths and dtype, instead of new ones.
 * @throws UserError where sizes disagree or an id is outside [0, E) and there is no expert map.
 */
export function fusedRoutingFromTopk<W extends WeightArray>(
  input: RoutingInput<W>,
  out: RoutingData<W> = createRoutingData(input),
): RoutingData<W> {
  const local = toLocalExperts(input);
  const hist = expertHistogram(local, out.hist);
  return placeEntries(local, expertOffsets(hist), out);
}

/** Zeroed buffers of the lengths and the dtype that an input's routing data have. */
export function createRoutingData<W extends WeightArray>(input: RoutingInput<W>): RoutingData<W> {
  const nk = checkRoutingInput(input);
  return {
    hist: new Int32Array(input.nExpertsTot),
    topkIndx: new Int32Array(nk),
    gateIndx: new Int32Array(nk),
    gateScal: zerosLike(input.topkWeights, nk),
  };
}

/**
 * The same input in this rank's expert ids: without an expert map the input itself; with one, a copy in which entries
 * of other ranks have id 0 and weight 0.
 */
export function toLocalExperts<W extends WeightArray>(input: RoutingInput<W>): RoutingInput<W> {
  const { expertMap, nTokens, nExpertsAct, nExpertsTot } = input;
  const nk = checkRoutingInput(input);
  if (expertMap === undefined) return input;
  const topkIds = new Int32Array(nk);
  const topkWeights = zerosLike(input.topkWeights, nk);
  for (let i = 0; i < nk; i++) {
    const expert = expertMap[input.topkIds[i] ?? 0] ?? -1;
    if (expert >= nExpertsTot) throw idOutOfRange(input, i);
    if (expert < 0) continue;
    topkIds[i] = expert;
    topkWeights[i] = input.topkWeights[i] ?? 0;
  }
  return { topkIds, topkWeights, nTokens, nExpertsAct, nExpertsTot };
}

/**
 * Phase 1, [E], in `hist`: how many entries each expert has. Ids are local ones (`toLocalExperts`); one outside [0, E) is
 * counted nowhere, which phase 3 notices.
 */
export function expertHistogram<W extends WeightArray>(input: RoutingInput<W>, hist: Int32Array): Int32Array {
  const { topkIds, nExpertsTot } = input;
  const nk = topkIds.length;
  checkLength("hist", hist, nExpertsTot);
  hist.fill(0);
  let i = 0;
  for (; i + 4 <= nk; i += 4) {
    const expert0 = topkIds[i] ?? 0;
    const expert1 = topkIds[i + 1] ?? 0;
    const expert2 = topkIds[i + 2] ?? 0;
    const expert3 = topkIds[i + 3] ?? 0;
    hist[expert0] = (hist[expert0] ?? 0) + 1;
    hist[expert1] = (hist[expert1] ?? 0) + 1;
    hist[expert2] = (hist[expert2] ?? 0) + 1;
    hist[expert3] = (hist[expert3] ?? 0) + 1;
  }
  for (; i < nk; i++) {
    const expert = topkIds[i] ?? 0;
    hist[expert] = (hist[expert] ?? 0) + 1;
  }
  return hist;
}

/** Phase 2, [E]: the position of each expert's first entry, the exclusive prefix sum of `hist`. */
export function expertOffsets(hist: Int32Array): Int32Array {
  const offsets = new Int32Array(hist.length);
  let next = 0;
  for (let expert = 0; expert < hist.length; expert++) {
    offsets[expert] = next;
    next += hist[expert] ?? 0;
  }
  return offsets;
}

/**
 * Phase 3: puts each entry at its expert's next free position in `out`, whose `hist` is that of phase 1. Uses `offsets`
 * up: afterwards each is its expert's end.
 * @throws UserError where an id is outside [0, E).
 */
export function placeEntries<W extends WeightArray>(
  input: RoutingInput<W>,
  offsets: Int32Array,
  out: RoutingData<W>,
): RoutingData<W> {
  const { topkIds, topkWeights } = input;
  const { topkIndx, gateIndx, gateScal } = out;
  const nk = topkIds.length;
  checkLength("topk_indx", topkIndx, nk);
  checkLength("gate_indx", gateIndx, nk);
  checkLength("gate_scal", gateScal, nk);
  checkAllCounted(input, out.hist, offsets);
  let i = 0;
  for (; i + 4 <= nk; i += 4) {
    const expert0 = topkIds[i] ?? 0;
    const expert1 = topkIds[i + 1] ?? 0;
    const expert2 = topkIds[i + 2] ?? 0;
    const expert3 = topkIds[i + 3] ?? 0;
    // One after the other: the four may be of the same expert.
    const position0 = offsets[expert0] ?? 0;
    offsets[expert0] = position0 + 1;
    const position1 = offsets[expert1] ?? 0;
    offsets[expert1] = position1 + 1;
    const position2 = offsets[expert2] ?? 0;
    offsets[expert2] = position2 + 1;
    const position3 = offsets[expert3] ?? 0;
    offsets[expert3] = position3 + 1;
    gateIndx[i] = position0;
    gateIndx[i + 1] = position1;
    gateIndx[i + 2] = position2;
    gateIndx[i + 3] = position3;
    topkIndx[position0] = i;
    topkIndx[position1] = i + 1;
    topkIndx[position2] = i + 2;
    topkIndx[position3] = i + 3;
    gateScal[position0] = topkWeights[i] ?? 0;
    gateScal[position1] = topkWeights[i + 1] ?? 0;
    gateScal[position2] = topkWeights[i + 2] ?? 0;
    gateScal[position3] = topkWeights[i + 3] ?? 0;
  }
  for (; i < nk; i++) {
    const expert = topkIds[i] ?? 0;
    const position = offsets[expert] ?? 0;
    offsets[expert] = position + 1;
    gateIndx[i] = position;
    topkIndx[position] = i;
    gateScal[position] = topkWeights[i] ?? 0;
  }
  return out;
}

/** Ids outside [0, E) make the histogram sum to less than NK: one comparison finds that there are any, a search which. */
function checkAllCounted<W extends WeightArray>(input: RoutingInput<W>, hist: Int32Array, offsets: Int32Array): void {
  const last = hist.length - 1;
  if ((offsets[last] ?? 0) + (hist[last] ?? 0) === input.topkIds.length) return;
  throw idOutOfRange(
    input,
    input.topkIds.findIndex((id) => id < 0 || id > last),
  );
}

/** A write outside of a typed array is lost without an error, so buffers that are too short must be found first. */
function checkLength(name: string, { length }: Int32Array | WeightArray, needed: number): void {
  if (length !== needed) throw new RangeError(`the buffer for ${name} needs ${needed} elements and has ${length}`);
}
