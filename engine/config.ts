/** The model's shape, read from the checkpoint's `config.json` and checked before anything is built from it. */
import { UserError } from "../errors.ts";

export interface ModelConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly nLayers: number;
  /** Layers behind these that predict further tokens (`num_nextn_predict_layers`); nothing of them is run. */
  readonly nNextTokenLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  /** How many of a head's dimensions are rotated (`partial_rotary_factor`); the rest pass unchanged. */
  readonly rotaryDim: number;
  readonly ropeTheta: number;
  readonly rmsNormEps: number;
  readonly attentionBias: boolean;
  readonly qkNorm: boolean;
  /** Inner size of the dense feed-forward layers. */
  readonly intermediateSize: number;
  readonly tieWordEmbeddings: boolean;
  /** Longest sequence, in tokens, that the model was made for. */
  readonly contextLength: number;
  readonly eosTokenIds: readonly number[];
  readonly moe: MoeConfig;
}

export interface MoeConfig {
  /** E */
  readonly nExpertsTot: number;
  /** K */
  readonly nExpertsAct: number;
  readonly nSharedExperts: number;
  /** Inner size of one expert. */
  readonly intermediateSize: number;
  /** The first layers with a dense feed-forward instead of experts. */
  readonly firstDenseLayers: number;
  readonly nGroup: number;
  readonly topkGroup: number;
  readonly normalizeTopk: boolean;
  readonly routedScalingFactor: number;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads a `config.json` of the `glm4_moe` family.
 *
 * @param where - the file's path, for messages
 * @throws UserError for anything that this engine cannot run as it stands
 */
export function parseModelConfig(text: string, where: string): ModelConfig {
  const fields = parseObject(text, where);
  const reader = fieldReader(fields, where);
  if (fields["model_type"] !== "glm4_moe") {
    throw new UserError(
      `${where}: model_type is ${JSON.stringify(fields["model_type"])}; the embedded engine runs "glm4_moe" checkpoints`,
    );
  }
  if (fields["hidden_act"] !== "silu") throw new UserError(`${where}: hidden_act must be "silu"`);
  // Transformers 5 keeps the rotary parameters in an object of their own, earlier versions beside the rest.
  const rope = { ...fields, ...(isObject(fields["rope_parameters"]) ? fields["rope_parameters"] : {}) };
  if (isObject(fields["rope_scaling"]) || (rope["rope_type"] ?? "default") !== "default") {
    throw new UserError(`${where}: scaled rotary embeddings are not supported by the embedded engine`);
  }
  const ropeReader = fieldReader(rope, where);
  const headDim = reader.count("head_dim");
  const config: ModelConfig = {
    vocabSize: reader.count("vocab_size"),
    hiddenSize: reader.count("hidden_size"),
    nLayers: reader.count("num_hidden_layers"),
    nNextTokenLayers: reader.count("num_nextn_predict_layers", 0),
    nHeads: reader.count("num_attention_heads"),
    nKvHeads: reader.count("num_key_value_heads"),
    headDim,
    rotaryDim: Math.floor(headDim * ropeReader.number("partial_rotary_factor", 0.5)),
    ropeTheta: ropeReader.number("rope_theta", 10_000),
    rmsNormEps: reader.number("rms_norm_eps", 1e-5),
    attentionBias: reader.flag("attention_bias", false),
    qkNorm: reader.flag("use_qk_norm", false),
    intermediateSize: reader.count("intermediate_size"),
    tieWordEmbeddings: reader.flag("tie_word_embeddings", false),
    contextLength: reader.count("max_position_embeddings"),
    eosTokenIds: eosTokenIds(fields["eos_token_id"], where),
    moe: {
      nExpertsTot: reader.count("n_routed_experts"),
      nExpertsAct: reader.count("num_experts_per_tok"),
      nSharedExperts: reader.count("n_shared_experts", 0),
      intermediateSize: reader.count("moe_intermediate_size"),
      firstDenseLayers: reader.count("first_k_dense_replace", 0),
      nGroup: reader.count("n_group"),
      topkGroup: reader.count("topk_group"),
      normalizeTopk: reader.flag("norm_topk_prob", true),
      routedScalingFactor: reader.number("routed_scaling_factor", 1),
    },
  };
  checkConsistent(config, where);
  return config;
}

function checkConsistent(config: ModelConfig, where: string): void {
  const { moe } = config;
  const rules: readonly (readonly [boolean, string])[] = [
    [config.nHeads % config.nKvHeads === 0, "num_attention_heads must be a multiple of num_key_value_heads"],
    [config.rotaryDim % 2 === 0 && config.rotaryDim <= config.headDim, "the rotated part of a head must be even"],
    [moe.nExpertsAct <= moe.nExpertsTot, "num_experts_per_tok exceeds n_routed_experts"],
    [moe.nExpertsTot % moe.nGroup === 0, "n_routed_experts must be a multiple of n_group"],
    [moe.topkGroup <= moe.nGroup, "topk_group exceeds n_group"],
    [moe.firstDenseLayers < config.nLayers, "every layer is dense, so there is no routing to check"],
  ];
  for (const [holds, rule] of rules) if (!holds) throw new UserError(`${where}: ${rule}`);
}

function parseObject(text: string, where: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: not valid JSON (${(error as Error).message})`, { cause: error });
  }
  if (!isObject(value)) throw new UserError(`${where}: expected a JSON object`);
  return value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function eosTokenIds(value: unknown, where: string): readonly number[] {
  const ids = Array.isArray(value) ? value : value === undefined || value === null ? [] : [value];
  if (!ids.every((id) => Number.isSafeInteger(id) && id >= 0)) {
    throw new UserError(`${where}: eos_token_id must be a token id or a list of them`);
  }
  return ids as number[];
}

function fieldReader(
  fields: Fields,
  where: string,
): {
  /** A whole number of at least 1 (at least 0 where 0 is the fallback). */
  count(name: string, fallback?: number): number;
  number(name: string, fallback: number): number;
  flag(name: string, fallback: boolean): boolean;
} {
  const fail = (name: string, expected: string): never => {
    throw new UserError(`${where}: ${name} must be ${expected}, found ${JSON.stringify(fields[name]) ?? "nothing"}`);
  };
  const given = (name: string): unknown => (Object.hasOwn(fields, name) ? fields[name] : undefined);
  return {
    count(name, fallback) {
      const value = given(name) ?? fallback;
      const least = fallback === 0 ? 0 : 1;
      // The bound keeps a hostile config from asking for buffers of absurd size; no model comes near it.
      if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > 2 ** 24) {
        return fail(name, `a whole number of at least ${least}`);
      }
      return value as number;
    },
    number(name, fallback) {
      const value = given(name) ?? fallback;
      return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : fail(name, "a positive number");
    },
    flag(name, fallback) {
      const value = given(name) ?? fallback;
      return typeof value === "boolean" ? value : fail(name, "true or false");
    },
  };
}
