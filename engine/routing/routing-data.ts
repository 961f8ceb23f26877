/**
 * The routing data that MoE kernels consume, and what they are made from.
 *
 * Notation: `n_tokens` N, `n_expts_act` K experts per token, `n_expts_tot` E experts, NK = N*K entries (token, slot).
 * Entries are bucketed by expert: expert e owns the positions from `hist[0] + ... + hist[e-1]` on, `hist[e]` of them.
 * Between flat index and position:
 *
 *     gateIndx[topkIndx[j]] = j        topkIndx: position -> flat index     gateIndx: flat index -> position
 *
 * A flat index is `token * K + something`. In the reference chain that is the rank of the entry after its row was
 * sorted by expert id; in the fused kernel it is the original slot. `flat index div K` is the token in both.
 */

/** Gate weights as their kernel holds them. A `Uint16Array` holds the bits of bf16 or f16 values. */
export type WeightArray = Float32Array | Uint16Array | Float64Array;

export interface RoutingData<W extends WeightArray = Float32Array> {
  /** [E] entries per expert; sums to NK. */
  readonly hist: Int32Array;
  /** [NK] position -> flat index. */
  readonly topkIndx: Int32Array;
  /** [NK] flat index -> position: the inverse permutation of `topkIndx`. */
  readonly gateIndx: Int32Array;
  /** [NK] position -> gate weight, in the dtype of the input. */
  readonly gateScal: W;
}

export interface RoutingInput<W extends WeightArray = Float32Array> {
  /** [N, K] chosen experts, each in [0, E) unless there is an `expertMap`. The same id twice in a row is legal. */
  readonly topkIds: Int32Array;
  /** [N, K] their gate weights. */
  readonly topkWeights: W;
  readonly nTokens: number;
  readonly nExpertsAct: number;
  /** Experts of this rank: the length of `hist`. */
  readonly nExpertsTot: number;
  /**
   * Expert parallelism: global expert id -> local id on this rank, negative where the expert lives elsewhere. An entry
   * whose id is outside the map or maps to a negative number is kept with weight 0 in bucket 0: `hist[0]` is inflated by
   * such entries, and `hist` still sums to NK.
   */
  readonly expertMap?: Int32Array | undefined;
}

/** Makes routing data from a selection. Pure; throws a UserError where sizes or ids are wrong. */
export type RoutingImplementation = <W extends WeightArray>(input: RoutingInput<W>) => RoutingData<W>;
