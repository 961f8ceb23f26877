/** A capture from anywhere, read a stretch of tokens at a time. */
import type { ChoiceRule } from "./close-scores.ts";
import type { IdArray } from "../routed-experts/sound-rows.ts";

export type { IdArray } from "../routed-experts/sound-rows.ts";

/** Precision of weights: what a difference within rounding is depends on it. */
export type WeightDtype = "F64" | "F32" | "F16" | "BF16";

export interface CaptureFacts {
  readonly path: string;
  /** In words, such as `capture file`. */
  readonly format: string;
  /** Model layer numbers of the MoE layers, ascending. */
  readonly layers: readonly number[];
  /** K */
  readonly nExpertsAct: number;
  /** E */
  readonly nExpertsTot: number;
  readonly nTokens: number;
  readonly weights: WeightDtype | undefined;
  readonly margins: boolean;
  /** What has to be known to read the result. */
  readonly notes: readonly string[];
}

/** Which tokens were routed; a part that the file does not say is left out. */
export interface CapturedTokenInfo {
  readonly inputIds?: Int32Array;
  readonly docIndex?: Int32Array;
  readonly position?: Int32Array;
}

/**
 * Tokens `from` up to, not including, `to`; `index` counts the MoE layers. What is returned is valid until the same is
 * asked of again: memory is used anew.
 *
 * All throw a UserError where the file does not hold what its header says.
 */
export interface CaptureSource extends CaptureFacts {
  readonly tokens: (from: number, to: number) => CapturedTokenInfo;
  /** [tokens * K] */
  readonly ids: (index: number, from: number, to: number) => IdArray;
  /** [tokens * K] */
  readonly weightsOf: (index: number, from: number, to: number) => Float32Array | undefined;
  /** [tokens] */
  readonly marginsOf: (index: number, from: number, to: number) => Float32Array | undefined;
  /** How the router chooses, where the scores of close choices are kept. */
  readonly rule?: ChoiceRule | undefined;
  /** [E] of the token `row`; undefined where its choice was not close. Default: none are kept. */
  readonly closeScoresOf?: (index: number, row: number) => Float32Array | undefined;
  readonly close: () => void;
}

/** Beyond any model: keeps a hostile file from asking for absurd amounts of memory. */
export const MAX_LAYERS = 4096;
/** Ids have 16 bits. */
export const MAX_EXPERTS = 65_535;
