/**
 * Expert tiles: how a grouped matrix multiplication cuts the entries of each expert into blocks of `blockM` rows.
 * A pure function of the histogram, so both routing implementations must give equal tiles.
 */
import { UserError } from "../../errors.ts";

/** Block sizes that the kernels are compiled for (HIP adds 256). The smallest one bounds the number of tiles. */
export const BLOCK_MS: readonly number[] = [16, 32, 64, 128];

/** Tiles of one expert that the upper 16 bits of `blockPidMap` can number without becoming negative. */
const MAX_TILES: number = 2 ** 15;

export interface ExpertTiles {
  readonly blockM: number;
  /** [E + 1] exclusive prefix sum of ceil(hist / blockM), in tiles; the last is the number of tiles used. */
  readonly tokenOffsPad: Int32Array;
  /** [maxNTiles] `(tile within its expert << 16) | expert` for used tiles in expert order, -1 for the rest. */
  readonly blockPidMap: Int32Array;
}

export interface ExpertData {
  /** [E + 1] exclusive prefix sum of `hist`: where each expert's entries start; the last is NK. */
  readonly tokenOffsRaw: Int32Array;
  /** One per block size asked for, in that order. */
  readonly tiles: readonly ExpertTiles[];
}

/**
 * The most tiles that NK entries over E experts can need at block size `minBlockM`: NK while every entry can have an
 * expert of its own, otherwise E partly filled tiles plus one for each further full block.
 */
export function maxNTiles(nk: number, nExpertsTot: number, minBlockM: number): number {
  if (nk <= nExpertsTot) return nk;
  return nExpertsTot - 1 - Math.floor((nExpertsTot - nk - 1) / minBlockM);
}

/** The block size that aiter picks for NK entries over E experts: about the mean entries per expert, within 16 and 128. */
export function defaultBlockM(nk: number, nExpertsTot: number): number {
  const mean = Math.max(1, Math.floor(nk / nExpertsTot));
  return Math.min(128, Math.max(16, 2 ** Math.ceil(Math.log2(mean))));
}

/** The block sizes in which no expert of a histogram has more tiles than can be numbered. */
export function fittingBlocks(hist: Int32Array, blockMs: readonly number[] = BLOCK_MS): number[] {
  const most = hist.reduce((a, b) => Math.max(a, b), 0);
  return blockMs.filter((blockM) => Math.ceil(most / blockM) <= MAX_TILES);
}

/**
 * Offsets and tiles of a histogram for each block size.
 * @throws UserError where a tile does not fit the 16 + 16 bits of `blockPidMap`: more than 65536 experts, or an expert
 *   with more than 32768 tiles.
 */
export function expertData(hist: Int32Array, blockMs: readonly number[] = BLOCK_MS): ExpertData {
  const tokenOffsRaw = exclusiveSum(hist);
  const nTiles = maxNTiles(tokenOffsRaw[hist.length] ?? 0, hist.length, Math.min(...blockMs));
  return { tokenOffsRaw, tiles: blockMs.map((blockM) => expertTiles(hist, blockM, nTiles)) };
}

function expertTiles(hist: Int32Array, blockM: number, nTiles: number): ExpertTiles {
  if (!Number.isSafeInteger(blockM) || blockM < 1) throw new UserError(`block_m must be at least 1; found ${blockM}.`);
  if (hist.length > 2 ** 16) throw new UserError(`Expert tiles hold at most 65536 experts; found ${hist.length}.`);
  const tokenOffsPad = exclusiveSum(hist.map((count) => Math.ceil(count / blockM)));
  const blockPidMap = new Int32Array(nTiles).fill(-1);
  for (let expert = 0; expert < hist.length; expert++) {
    const start = tokenOffsPad[expert] ?? 0;
    const count = (tokenOffsPad[expert + 1] ?? 0) - start;
    if (count > MAX_TILES) {
      throw new UserError(
        `Expert ${expert} needs ${count} tiles of ${blockM} rows; at most ${MAX_TILES} fit. Use a larger block.`,
      );
    }
    for (let tile = 0; tile < count; tile++) blockPidMap[start + tile] = (tile << 16) | expert;
  }
  return { blockM, tokenOffsPad, blockPidMap };
}

function exclusiveSum(counts: Int32Array): Int32Array {
  const sums = new Int32Array(counts.length + 1);
  for (let i = 0; i < counts.length; i++) sums[i + 1] = (sums[i] ?? 0) + (counts[i] ?? 0);
  return sums;
}
