/** Which inputs a routing implementation is tried on: the field's shapes, and the distributions at which kernels fail. */
import seedrandom from "seedrandom";
import type { ScoringFunction } from "../engine/routing/scores.ts";

/**
 * How the tokens spread over the experts.
 *
 * - `even`, `skewed`: as routers do, balanced or not.
 * - `one set`: every token to the same K experts.
 * - `empty experts`: half of the experts, the first and the last among them, are chosen by nobody.
 * - `ties`: scores so coarse that most choices are ties.
 * - `duplicates`: the same expert twice in a row, which a counting sort must keep apart.
 * - `padding`: a quarter of the rows are a CUDA graph's padding: logits of -inf or NaN (with an expert map: ids of -1).
 */
export const LOADS = ["even", "skewed", "one set", "empty experts", "ties", "duplicates", "padding"] as const;
export type Load = (typeof LOADS)[number];

export const SCORINGS: readonly ScoringFunction[] = ["softmax", "sigmoid", "sqrtsoftplus"];

export const WEIGHT_DTYPES = ["f32", "bf16", "f16"] as const;
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

export interface RoutingCase {
  /** Names the case; with the seed it also is what its numbers are drawn from. */
  readonly name: string;
  readonly nTokens: number;
  readonly nExpertsAct: number;
  /** Experts of this rank. */
  readonly nExpertsTot: number;
  readonly load: Load;
  readonly scoring: ScoringFunction;
  readonly dtype: WeightDtype;
  /** Expert parallelism: this rank has a quarter of the experts, and the map has holes for the others. */
  readonly mapped: boolean;
}

/**
 * N, K, E. Small ones first, so that most faults are found at once; then both sides of what kernels switch at: NK of 4096
 * (the fused kernel's limit), N of 16 and 32, E of 256 (8-bit ids), NK of 65536 (16-bit indices).
 */
const SHAPES: readonly (readonly [nTokens: number, nExpertsAct: number, nExpertsTot: number])[] = [
  [32, 4, 16],
  [1, 8, 384],
  [1, 1, 8],
  [2, 2, 8],
  [16, 6, 64],
  [17, 16, 16],
  [33, 5, 60],
  [64, 6, 256],
  [31, 9, 257],
  [128, 8, 128],
  [255, 16, 160],
  [256, 16, 512],
  [257, 16, 512],
  [511, 8, 384],
  [512, 8, 384],
  [513, 8, 384],
  [682, 6, 256],
  [683, 6, 256],
  [4095, 1, 32],
  [4096, 1, 64],
  [4097, 1, 64],
  [585, 7, 64],
  [1366, 3, 128],
];

/** Each is run once. */
const LARGE_SHAPES: readonly (readonly [nTokens: number, nExpertsAct: number, nExpertsTot: number])[] = [
  [8192, 8, 256],
  [8193, 8, 256],
  [65536, 1, 8],
  [65536, 4, 128],
];

/** Every load is met by every dtype, scoring and map, and every shape by several loads (there is a test). */
const ROUNDS = 6;

/** The cases that every check runs, in order. */
export function fixedCases(): RoutingCase[] {
  const small = Array.from({ length: ROUNDS }, (_, round) =>
    SHAPES.map((shape, index) => caseOf(shape, index + round * (SHAPES.length + 1), round)),
  ).flat();
  const large = LARGE_SHAPES.map((shape, index) => caseOf(shape, index, index));
  // The first round by itself, so that a shape's first sight comes before its second.
  return [...small.slice(0, SHAPES.length), ...large, ...small.slice(SHAPES.length)];
}

function caseOf(shape: readonly [number, number, number], index: number, round: number): RoutingCase {
  const [nTokens, nExpertsAct, nExpertsTot] = shape;
  return named({
    nTokens,
    nExpertsAct,
    nExpertsTot,
    load: LOADS[index % LOADS.length]!,
    scoring: SCORINGS[(index + round) % SCORINGS.length]!,
    dtype: WEIGHT_DTYPES[(Math.floor(index / 3) + round) % WEIGHT_DTYPES.length]!,
    mapped: (index + round) % 4 === 3,
  });
}

/** The case drawn as number `index` of a seed: any shape of the field, the large ones seldom. */
export function drawnCase(seed: number, index: number): RoutingCase {
  const uniform = seedrandom.tychei(`routing case ${seed} ${index}`);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(uniform() * from.length)]!;
  const nExpertsTot = 8 + Math.floor(504 * uniform() ** 2 + 0.5);
  const nExpertsAct = 1 + Math.floor(Math.min(16, nExpertsTot) * uniform());
  // Uniform in the logarithm, from 1 to 65536.
  const nTokens = Math.min(65536, Math.floor(2 ** (uniform() * 16.1)));
  const drawn = named({
    nTokens,
    nExpertsAct,
    nExpertsTot,
    load: pick(LOADS),
    scoring: pick(SCORINGS),
    dtype: pick(WEIGHT_DTYPES),
    mapped: uniform() < 0.25,
  });
  return { ...drawn, name: `#${index} ${drawn.name}` };
}

function named(of: Omit<RoutingCase, "name">): RoutingCase {
  const { nTokens, nExpertsAct, nExpertsTot, load, scoring, dtype, mapped } = of;
  const shape = `n${nTokens}_k${nExpertsAct}_e${nExpertsTot}_${dtype}`;
  return { name: `${shape} ${scoring}, ${load}${mapped ? ", expert map" : ""}`, ...of };
}
