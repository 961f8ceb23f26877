/** Faults on level 1: what a fused kernel can do to routing data, the real ones among them with where they were seen. */
import { bf16ToNumber, numberToBf16 } from "../../engine/half-floats.ts";
import { toLocalExperts } from "../../engine/routing/fused.ts";
import { routingFromTopk } from "../../engine/routing/reference-chain.ts";
import type { RoutingFault } from "./fault.ts";
import {
  buckets,
  type Data,
  exchange,
  type Input,
  misled,
  onlyWhere,
  type Route,
  spoiled,
  spoilWeight,
  swap,
  withTiles,
} from "./spoil.ts";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";

/** Entries of a bucket that a bf16 counter can tell apart: its numbers are whole up to 256. A float32 one ends at 2^24. */
const BF16_EXACT = 256;

const nk = ({ topkIds }: Input): number => topkIds.length;

export const ROUTING_FAULTS: readonly RoutingFault[] = [
  { name: "offsets one too far", route: () => spoiled(rotate) },
  { name: "expert e served by expert e+1", route: () => misled(toNextExpert) },
  { name: "two weights of a row swapped", route: () => spoiled(swapWeightsOfRow) },
  { name: "one token dropped", route: () => spoiled(dropLastToken) },
  { name: "one token sent twice, another never", route: () => spoiled(sendFirstTokenTwice) },
  {
    name: "gather right, scatter wrong",
    route: () => spoiled(({ gateIndx }) => swap(gateIndx, 0, gateIndx.length - 1)),
  },
  {
    name: "scatter right, gather wrong",
    route: () => spoiled(({ topkIndx }) => swap(topkIndx, 0, topkIndx.length - 1)),
  },
  { name: "histogram of one expert one too small", route: () => spoiled(countOneLess) },
  { name: "stale entries of the previous batch", route: staleTail },
  { name: "wrong only where NK > 4096", route: () => onlyWhere((input) => nk(input) > 4096, spoilLast) },
  { name: "wrong only for N = 1", route: () => onlyWhere(({ nTokens }) => nTokens === 1, spoilLast) },
  {
    name: "wrong only for N > 1",
    seen: "ATOM #1044: right at one request at a time, wrong at several",
    route: () => onlyWhere(({ nTokens }) => nTokens > 1, spoilLast),
  },
  { name: "wrong only where an expert is empty", route: () => spoiled(spoilWhereEmpty) },
  { name: "wrong only in the last tile", route: () => spoiled(spoilLastTile) },
  {
    name: "wrong only where NK is no multiple of 32",
    route: () => onlyWhere((input) => nk(input) % 32 !== 0 && nk(input) > 32, spoilLast),
  },
  { name: "NaN in one row", route: () => spoiled(nanInOneRow) },
  { name: "scale applied to the weights again", route: () => spoiled(({ gateScal }) => scaleAll(gateScal)) },
  { name: "float32 weights rounded to bfloat16", route: () => spoiled(roundToBf16) },
  { name: "dtype not kept: 16-bit weights widened", route: () => spoiled(widen) },
  {
    name: "histogram counts in floating point",
    note: "bfloat16, which ends at 256; float32 ends at 2^24 in the same way",
    route: () => spoiled(({ hist }) => hist.forEach((n, e) => (hist[e] = Math.min(n, BF16_EXACT)))),
  },
  { name: "expert_map hole sent to expert 0 with its weight", route: () => misled(holesKeepTheirWeight) },
  {
    name: "slots of -1 look up expert_map[-1]",
    seen: "vLLM #46408",
    route: () => misled(wrapNegativeIds),
  },
  { name: "padding rows not counted", seen: "CUDA graphs pad with ordinary rows", route: () => spoiled(uncountZeros) },
  { name: "duplicates in a row merged into one entry", route: () => spoiled(mergeDuplicates) },
  {
    name: "two entries placed at one position",
    note: "a lost update between atomics",
    route: () => spoiled(loseUpdate),
  },
  { name: "indices wrap at 16 bits", note: "aiter's are uint16 up to NK of 65536", route: () => spoiled(wrapIndices) },
  { name: "expert ids wrap at 8 bits", route: () => misled(wrapExpertIds) },
  {
    name: "flat index of the other base",
    note: "row-sorted, where slots are promised",
    route: () => (input) => withTiles(routingFromTopk(input)),
  },
  { name: "two tokens exchanged", route: () => spoiled(exchangeTokens) },
  { name: "last tile missing from the map", route: () => spoiledTiles((map, used) => (map[used - 1] = -1)) },
  { name: "tile and expert exchanged in the map", route: () => spoiledTiles(exchangeHalves) },
];

/** Every entry one position on, the last one first. */
function rotate(data: Data): void {
  const { topkIndx, gateIndx, gateScal } = data;
  data.topkIndx = topkIndx.map((_, position) => topkIndx.at(position - 1)!);
  data.gateScal = gateScal.map((_, position) => gateScal.at(position - 1)!);
  data.gateIndx = gateIndx.map((position) => (position + 1) % gateIndx.length);
}

function toNextExpert(input: Input): Input {
  const local = toLocalExperts(input);
  return { ...local, topkIds: local.topkIds.map((id) => (id + 1) % input.nExpertsTot) };
}

function swapWeightsOfRow({ gateIndx, gateScal }: Data, { nTokens, nExpertsAct }: Input): void {
  for (let flat = 0; flat + 1 < nTokens * nExpertsAct; flat++) {
    if (flat % nExpertsAct === nExpertsAct - 1) continue;
    const [a, b] = [gateIndx[flat]!, gateIndx[flat + 1]!];
    if (gateScal[a] === gateScal[b]) continue;
    swap(gateScal, a, b);
    return;
  }
}

/** Its entries are counted nowhere and the others close up; the end of the buffers is as it was, which is zero. */
function dropLastToken(data: Data, input: Input): void {
  const { nTokens, nExpertsAct } = input;
  const kept = (nTokens - 1) * nExpertsAct;
  const short = fusedRoutingFromTopk({
    ...input,
    nTokens: nTokens - 1,
    topkIds: input.topkIds.subarray(0, kept),
    topkWeights: input.topkWeights.subarray(0, kept),
  });
  for (const array of [data.topkIndx, data.gateIndx, data.gateScal]) array.fill(0);
  data.hist = short.hist;
  data.topkIndx.set(short.topkIndx);
  data.gateIndx.set(short.gateIndx);
  data.gateScal.set(short.gateScal);
}

function sendFirstTokenTwice({ topkIndx }: Data, { nTokens, nExpertsAct }: Input): void {
  const last = (nTokens - 1) * nExpertsAct;
  for (let position = 0; position < topkIndx.length; position++) {
    const flat = topkIndx[position]!;
    if (flat >= last) topkIndx[position] = flat - last;
  }
}

function countOneLess({ hist }: Data): void {
  const most = hist.indexOf(hist.reduce((a, b) => Math.max(a, b)));
  hist[most] = hist[most]! - 1;
}

/** Buffers that are used again: the last eighth of the weights is not written, and holds what it held. */
function staleTail(): Route {
  let before: Data["gateScal"] | undefined;
  return spoiled((data) => {
    const { gateScal } = data;
    const sound = gateScal.slice() as typeof gateScal;
    if (before?.constructor === gateScal.constructor) {
      const from = gateScal.length - Math.ceil(gateScal.length / 8);
      for (let p = from; p < Math.min(gateScal.length, before.length); p++) gateScal[p] = before[p]!;
    }
    before = sound;
  });
}

function spoilLast(data: Data): void {
  spoilWeight(data, data.gateScal.length - 1);
}

function spoilWhereEmpty(data: Data): void {
  const empty = data.hist.indexOf(0);
  // The expert behind an empty one gets its offset wrong; the last weight stands for all that follows.
  if (empty >= 0) spoilLast(data);
}

/** The last, partly filled tile of 16 of the last expert that has one. */
function spoilLastTile(data: Data): void {
  const [start, end] = [...buckets(data)].findLast(([from, to]) => (to - from) % 16 !== 0) ?? [0, 0];
  for (let position = end - ((end - start) % 16); position < end; position++) spoilWeight(data, position);
}

function nanInOneRow({ gateIndx, gateScal }: Data, { nExpertsAct }: Input): void {
  // Of either 16-bit format: every bit of the exponent and of the fraction.
  for (let flat = 0; flat < nExpertsAct; flat++) {
    gateScal[gateIndx[flat]!] = gateScal instanceof Uint16Array ? 0x7fff : NaN;
  }
}

/** By 4, which every dtype can do without rounding: two steps of the exponent. */
function scaleAll(gateScal: Data["gateScal"]): void {
  for (let p = 0; p < gateScal.length; p++) {
    gateScal[p] = gateScal instanceof Uint16Array ? gateScal[p]! + 0x100 : gateScal[p]! * 4;
  }
}

function roundToBf16({ gateScal }: Data): void {
  if (gateScal instanceof Uint16Array) return;
  gateScal.forEach((weight, position) => (gateScal[position] = bf16ToNumber(numberToBf16(weight))));
}

function widen(data: Data): void {
  if (data.gateScal instanceof Uint16Array) data.gateScal = Float32Array.from(data.gateScal, bf16ToNumber);
}

function holesKeepTheirWeight(input: Input): Input {
  const { expertMap } = input;
  if (expertMap === undefined) return input;
  const topkIds = input.topkIds.map((id) => Math.max(expertMap[id] ?? -1, 0));
  return { ...input, topkIds, expertMap: undefined };
}

function wrapNegativeIds(input: Input): Input {
  const { expertMap } = input;
  if (expertMap === undefined) return input;
  return { ...input, topkIds: input.topkIds.map((id) => (id < 0 ? id + expertMap.length : id)) };
}

function uncountZeros(data: Data, input: Input): void {
  const { topkIds, topkWeights } = toLocalExperts(input);
  topkIds.forEach((id, flat) => {
    if (topkWeights[flat] === 0) data.hist[id] = data.hist[id]! - 1;
  });
}

function mergeDuplicates({ gateIndx, gateScal }: Data, { topkIds, nExpertsAct }: Input): void {
  if (gateScal instanceof Uint16Array) return;
  for (let flat = nExpertsAct - 1; flat < topkIds.length; flat += nExpertsAct) {
    const first = flat - nExpertsAct + 1;
    if (first === flat || topkIds[first] !== topkIds[flat]) continue;
    const [kept, merged] = [gateIndx[first]!, gateIndx[flat]!];
    gateScal[kept] = gateScal[kept]! + gateScal[merged]!;
    gateScal[merged] = 0;
  }
}

/** Where an expert has more entries than a warp has lanes. */
function loseUpdate(data: Data): void {
  const { topkIndx, gateScal } = data;
  const [start] = [...buckets(data)].find(([from, to]) => to - from > 32) ?? [];
  if (start === undefined) return;
  topkIndx[start + 32] = topkIndx[start]!;
  gateScal[start + 32] = gateScal[start]!;
}

function wrapIndices({ topkIndx }: Data): void {
  topkIndx.forEach((flat, position) => (topkIndx[position] = flat & 0xffff));
}

function wrapExpertIds(input: Input): Input {
  const local = toLocalExperts(input);
  return { ...local, topkIds: local.topkIds.map((id) => id & 0xff) };
}

/** The first two tokens that share no expert change places, consistently. */
function exchangeTokens(data: Data, input: Input): void {
  const { nTokens, nExpertsAct } = input;
  if (nTokens < 2) return;
  const { topkIds } = toLocalExperts(input);
  for (let slot = 0; slot < nExpertsAct; slot++) {
    const [a, b] = [slot, nExpertsAct + slot];
    if (topkIds[a] !== topkIds[b]) exchange(data, data.gateIndx[a]!, data.gateIndx[b]!);
  }
}

function spoiledTiles(spoil: (map: Int32Array, used: number) => void): Route {
  const sound = spoiled(() => undefined);
  return (input) => {
    const routed = sound(input);
    for (const { blockPidMap, tokenOffsPad } of routed.experts?.tiles ?? [])
      spoil(blockPidMap, tokenOffsPad.at(-1) ?? 0);
    return routed;
  };
}

function exchangeHalves(map: Int32Array, used: number): void {
  for (let tile = 0; tile < used; tile++) map[tile] = ((map[tile]! & 0xffff) << 16) | (map[tile]! >>> 16);
}
