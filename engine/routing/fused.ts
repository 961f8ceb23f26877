/**
 * The fused chain: routing data by one counting sort, in the three phases of the fused kernel (histogram, offsets,
 * placement). No row is sorted, so a flat index is token*K + original slot. Unlike the kernel, whose atomics leave the
 * order inside an expert open, it is deterministic and stable (ascending flat index), and takes any NK.
 */
import type { RoutingData, RoutingInput, WeightArray } from "./routing-data.ts";
import { checkRoutingInput, idOutOfRange, zerosLike } from "./routing-input.ts";

/**
 * Routing data by counting sort.
 * @throws UserError where sizes disagree or an id is outside [0, E) and there is no expert map.
 */
export function fusedRoutingFromTopk<W extends WeightArray>(input: RoutingInput<W>): RoutingData<W> {
  const hist = expertHistogram(input);
  return placeEntries(input, hist, expertOffsets(hist));
}

/** Phase 1, [E]: how many entries each expert has. Checks the input. */
export function expertHistogram<W extends WeightArray>(input: RoutingInput<W>): Int32Array {
  const { topkIds, nExpertsTot, expertMap } = input;
  const nk = checkRoutingInput(input);
  const hist = new Int32Array(nExpertsTot);
  for (let i = 0; i < nk; i++) {
    let expert = topkIds[i] ?? 0;
    if (expertMap !== undefined) expert = Math.max(expertMap[expert] ?? -1, 0);
    const count = hist[expert];
    if (count === undefined) throw idOutOfRange(input, i);
    hist[expert] = count + 1;
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

/** Phase 3: puts each entry at its expert's next free position. Uses `offsets` up: afterwards each is its expert's end. */
export function placeEntries<W extends WeightArray>(
  input: RoutingInput<W>,
  hist: Int32Array,
  offsets: Int32Array,
): RoutingData<W> {
  const { topkIds, topkWeights, expertMap } = input;
  const nk = topkIds.length;
  const topkIndx = new Int32Array(nk);
  const gateIndx = new Int32Array(nk);
  const gateScal = zerosLike(topkWeights, nk);
  for (let i = 0; i < nk; i++) {
    let expert = topkIds[i] ?? 0;
    let weight = topkWeights[i] ?? 0;
    if (expertMap !== undefined) {
      expert = expertMap[expert] ?? -1;
      if (expert < 0) {
        expert = 0;
        weight = 0;
      }
    }
    const position = offsets[expert] ?? 0;
    offsets[expert] = position + 1;
    gateIndx[i] = position;
    topkIndx[position] = i;
    gateScal[position] = weight;
  }
  return { hist, topkIndx, gateIndx, gateScal };
}
