/** Which layers of a model have experts, and how many: read from a Hugging Face `config.json`. */
import { UserError } from "../../errors.ts";
import { isRecord } from "../json-read.ts";
import type { JsonRecord } from "../json-read.ts";

export interface MoeLayout {
  /** All layers, dense ones too; without those that only draft (`num_nextn_predict_layers`). */
  readonly nLayers: number;
  /**
   * Model layers that have experts, ascending. `unknown` where nobody says: then leading layers whose ids are all 0 are
   * taken for dense, and named in the result.
   */
  readonly moeLayers: readonly number[] | "unknown";
  /** E */
  readonly nExpertsTot: number;
  /** K */
  readonly nExpertsAct: number;
}

type Fail = (name: string, expected: string) => UserError;
/** Whether layer i of the model has experts, as one kind of field says it; undefined where the config lacks the field. */
type Rule = (fields: JsonRecord, nLayers: number, fail: Fail) => ((layer: number) => boolean) | undefined;

const E_NAMES = ["n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts"] as const;
const K_NAMES = [
  "num_experts_per_tok",
  "num_experts_per_token",
  "experts_per_token",
  "moe_topk",
  "moe_k",
  "top_k_experts",
] as const;

/** The part that describes the language model, in models that see or hear as well. */
const NESTED = ["text_config", "llm_config", "language_config", "thinker_config"] as const;

/** Beyond any model; keeps a hostile config from asking for buffers of absurd size. */
const MAX_LAYERS = 4096;
/** Ids are kept in 16 bits. */
const MAX_EXPERTS = 65_535;

/**
 * A layer has experts where all the fields that say something about it agree. A config that says it in a field that is
 * not known here is taken to have experts everywhere: its dense layers then come back as zeros and are reported as a
 * broken capture, which is seen, rather than left out, which is not.
 *
 * @param config - the parsed file
 * @param where - its path, for messages
 * @throws UserError where it is not a mixture-of-experts model's, or says something that cannot be
 */
export function moeLayout(config: unknown, where: string): MoeLayout {
  const fields = languageModel(config);
  const fail: Fail = (name, expected) => {
    const shown = (JSON.stringify(fields[name]) ?? "nothing").slice(0, 60);
    return new UserError(`${where}: ${name} must be ${expected}, found ${shown}; give the model's own config.json`);
  };
  const count = (names: readonly string[], most: number): number => {
    const name = names.find((each) => isGiven(fields[each]));
    if (name === undefined)
      throw new UserError(`${where}: none of ${names.join(", ")} is there; is this a mixture-of-experts model?`);
    const value = sameForAll(fields[name]);
    if (!isCount(value) || value < 1 || value > most) throw fail(name, `a whole number from 1 to ${most}`);
    return value;
  };
  const nLayers = count(["num_hidden_layers", "n_layers", "num_layers"], MAX_LAYERS);
  const nExpertsTot = count(E_NAMES, MAX_EXPERTS);
  const nExpertsAct = count(K_NAMES, MAX_EXPERTS);
  if (nExpertsAct > nExpertsTot)
    throw new UserError(`${where}: ${nExpertsAct} experts per token, but there are only ${nExpertsTot}`);
  const rules = RULES.flatMap((rule) => rule(fields, nLayers, fail) ?? []);
  const moeLayers = Array.from({ length: nLayers }, (_, layer) => layer).filter((layer) =>
    rules.every((isMoe) => isMoe(layer)),
  );
  if (moeLayers.length === 0) throw new UserError(`${where}: every layer is dense, so there is no routing to capture`);
  return { nLayers, moeLayers, nExpertsTot, nExpertsAct };
}

const RULES: readonly Rule[] = [
  // DeepSeek, GLM, Kimi, dots, Ling: the first layers are dense.
  (fields, _, fail) => {
    const first = countOf(fields, "first_k_dense_replace", fail);
    return first === undefined ? undefined : (layer) => layer >= first;
  },
  // DeepSeek: every so many layers; MiMo: a 0 or 1 for each.
  (fields, nLayers, fail) => {
    const freq = given(fields, "moe_layer_freq");
    if (Array.isArray(freq)) return perLayer(fields, "moe_layer_freq", nLayers, fail, (entry) => entry === 1);
    const step = countOf(fields, "moe_layer_freq", fail, 1);
    return step === undefined ? undefined : (layer) => layer % step === 0;
  },
  // Qwen: exceptions, and every so many layers.
  (fields, _, fail) => {
    const dense = layersOf(fields, "mlp_only_layers", fail);
    return dense === undefined ? undefined : (layer) => !dense.has(layer);
  },
  (fields, _, fail) => {
    const step = countOf(fields, "decoder_sparse_step", fail, 1);
    return step === undefined ? undefined : (layer) => (layer + 1) % step === 0;
  },
  // Transformers 5: a word for each.
  (fields, nLayers, fail) =>
    perLayer(fields, "mlp_layer_types", nLayers, fail, (entry) => entry === "sparse" || entry === "moe"),
  // Llama 4: a list, or every so many layers.
  (fields, _, fail) => {
    const moe = layersOf(fields, "moe_layers", fail);
    return moe === undefined ? undefined : (layer) => moe.has(layer);
  },
  (fields, _, fail) => {
    const step = countOf(fields, "interleave_moe_layer_step", fail, 1);
    return step === undefined ? undefined : (layer) => (layer + 1) % step === 0;
  },
  // Jamba.
  (fields, _, fail) => {
    const period = countOf(fields, "expert_layer_period", fail, 1);
    const offset = countOf(fields, "expert_layer_offset", fail) ?? 0;
    return period === undefined ? undefined : (layer) => layer >= offset && (layer - offset) % period === 0;
  },
  // Ernie 4.5.
  (fields, nLayers, fail) => {
    const start = countOf(fields, "moe_layer_start_index", fail);
    const interval = countOf(fields, "moe_layer_interval", fail, 1) ?? 1;
    const named = given(fields, "moe_layer_end_index");
    const end = named === undefined || named === -1 ? nLayers - 1 : countOf(fields, "moe_layer_end_index", fail);
    if (start === undefined) return undefined;
    return (layer) => layer >= start && layer <= (end as number) && (layer + 1) % interval === 0;
  },
];

function languageModel(config: unknown): JsonRecord {
  const outer = isRecord(config) ? config : {};
  let fields = outer;
  // Two levels in models that also speak; no more is followed.
  for (let depth = 0; depth < 3; depth++) {
    if (E_NAMES.some((name) => isGiven(fields[name]))) return fields;
    const nested = NESTED.map((name) => fields[name]).find(isRecord);
    if (nested === undefined) break;
    fields = nested;
  }
  return outer;
}

function perLayer(
  fields: JsonRecord,
  name: string,
  nLayers: number,
  fail: Fail,
  isMoe: (entry: unknown) => boolean,
): ((layer: number) => boolean) | undefined {
  const list = given(fields, name);
  if (list === undefined) return undefined;
  // It may go on with the layers that draft.
  if (!Array.isArray(list) || list.length < nLayers) throw fail(name, `a list with an entry for each layer`);
  return (layer) => isMoe(list[layer]);
}

function layersOf(fields: JsonRecord, name: string, fail: Fail): ReadonlySet<number> | undefined {
  const list = given(fields, name);
  if (list === undefined) return undefined;
  if (!Array.isArray(list) || !list.every(isCount)) throw fail(name, "a list of layer numbers");
  return new Set(list);
}

function countOf(fields: JsonRecord, name: string, fail: Fail, least = 0): number | undefined {
  const value = given(fields, name);
  if (value === undefined) return undefined;
  if (!isCount(value) || value < least) throw fail(name, `a whole number of at least ${least}`);
  return value;
}

/** Hunyuan gives a number for each layer. */
function sameForAll(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const [first] = value as unknown[];
  return value.every((each) => each === first) ? first : value;
}

function given(fields: JsonRecord, name: string): unknown {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return isGiven(value) ? value : undefined;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
