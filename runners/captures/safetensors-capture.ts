/** Our own capture files (docs/captures.md). */
import { UserError } from "../../errors.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import type { SafetensorsFile, TensorInfo } from "../../engine/safetensors.ts";
import { quote } from "../../engine/safetensors-header.ts";
import { MAX_EXPERTS, MAX_LAYERS } from "./capture-source.ts";
import type { IdArray } from "../routed-experts/sound-rows.ts";
import type { CaptureSource, WeightDtype } from "./capture-source.ts";
import { closeRule, closeScoresOf } from "./close-scores.ts";
import type { ChoiceRule } from "./close-scores.ts";

/** What a capture file says of itself, all of it checked against its tensors. */
export interface CaptureLayout {
  readonly layers: readonly number[];
  readonly nExpertsAct: number;
  readonly nExpertsTot: number;
  readonly nTokens: number;
  readonly weights: WeightDtype | undefined;
  readonly margins: boolean;
  /** How the router chooses, where the scores of close choices are kept. */
  readonly rule: ChoiceRule | undefined;
}

/** @throws UserError where the file cannot be read or is no capture */
export function openSafetensorsCapture(path: string): CaptureSource {
  const file = openSafetensors(path);
  try {
    const layout = captureLayout(file);
    const ids = idsReader(file, layout);
    const perLayer = (name: string, width: number) => (index: number, from: number, to: number) =>
      floats(file, `layers.${layout.layers[index]}.${name}`, { begin: from * width, end: to * width });
    const integers = (name: string, from: number, to: number): Int32Array | undefined =>
      file.tensors.has(name) ? file.readInt32(name, { begin: from, end: to }) : undefined;
    return {
      path,
      format: "capture file",
      ...layout,
      notes: [],
      tokens: (from, to) => {
        const [inputIds, docIndex, position] = TOKEN_TENSORS.map((name) => integers(name, from, to));
        return { ...(inputIds && { inputIds }), ...(docIndex && { docIndex }), ...(position && { position }) };
      },
      ids,
      weightsOf: layout.weights === undefined ? () => undefined : perLayer("topk_weights", layout.nExpertsAct),
      closeScoresOf:
        layout.rule === undefined ? () => undefined : (index, row) => closeScoresOf(file, layout, index, row),
      marginsOf: layout.margins ? marginsReader(file, layout) : () => undefined,
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

const TOKEN_TENSORS = ["input_ids", "doc_index", "position"] as const;

const ID_DTYPES = ["U8", "I8", "U16", "I16", "I32", "I64"] as const;
const FLOAT_DTYPES = ["F64", "F32", "F16", "BF16"] as const;

/** @throws UserError that names the tensor where one lacks, or is not what the metadata say */
export function captureLayout(file: SafetensorsFile): CaptureLayout {
  const fail = (reason: string): UserError =>
    new UserError(`${file.path} is no capture file: ${reason}; see docs/captures.md`);
  const number = (name: string, most: number): number => {
    const text = file.metadata.get(name);
    if (text === undefined) throw fail(`its metadata has no "${name}"`);
    if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
    throw fail(`its metadata's "${name}" is ${quote(text)}, not a whole number from 1 to ${most}`);
  };
  const nExpertsTot = number("n_expts_tot", MAX_EXPERTS);
  const nExpertsAct = number("n_expts_act", nExpertsTot);
  const layers = layerNumbers(file, fail);
  const listed = new Set(layers);
  for (const name of file.tensors.keys()) {
    const [, layer] = /^layers\.(\d+)\./.exec(name) ?? [];
    if (layer !== undefined && !listed.has(Number(layer)))
      throw fail(`tensor ${quote(name)} is of a layer that its metadata's "moe_layers" does not list`);
  }
  const nTokens = file.tensors.get(`layers.${layers[0]}.topk_ids`)?.shape[0] ?? 0;
  const check = (name: string, shape: readonly number[], dtypes: readonly string[]): TensorInfo => {
    const info = file.tensors.get(name);
    if (info === undefined) throw fail(`it has no tensor ${quote(name)}`);
    if (!dtypes.includes(info.dtype))
      throw fail(`tensor ${quote(name)} is ${info.dtype}; it may be ${dtypes.join(", ")}`);
    if (info.shape.join() !== shape.join())
      throw fail(`tensor ${quote(name)} has shape [${brief(info.shape)}], not [${shape.join(", ")}]`);
    return info;
  };
  const has = (name: string): boolean => layers.some((layer) => file.tensors.has(`layers.${layer}.${name}`));
  const [weights, margins] = [has("topk_weights"), has("router_margin")];
  let dtype: WeightDtype | undefined;
  for (const layer of layers) {
    check(`layers.${layer}.topk_ids`, [nTokens, nExpertsAct], ID_DTYPES);
    if (weights) {
      const own = check(`layers.${layer}.topk_weights`, [nTokens, nExpertsAct], FLOAT_DTYPES).dtype as WeightDtype;
      dtype ??= own;
      if (own !== dtype) throw fail(`its layers' weights are of several dtypes, ${dtype} and ${own}`);
    }
    if (margins) check(`layers.${layer}.router_margin`, [nTokens], FLOAT_DTYPES);
  }
  for (const name of TOKEN_TENSORS) if (file.tensors.has(name)) check(name, [nTokens], ID_DTYPES);
  if (nTokens === 0) throw fail("it holds no tokens");
  const rule = closeRule(file, { layers, nExpertsTot }, fail);
  return { layers, nExpertsAct, nExpertsTot, nTokens, weights: dtype, margins, rule };
}

function layerNumbers(file: SafetensorsFile, fail: (reason: string) => UserError): number[] {
  const text = file.metadata.get("moe_layers") ?? "";
  const layers = text.split(",").map(Number);
  const ascend = layers.every((layer, index) => layer > (layers[index - 1] ?? -1));
  if (/^\d{1,9}(,\d{1,9})*$/.test(text) && ascend && layers.length <= MAX_LAYERS) return layers;
  throw fail(`its metadata's "moe_layers" is ${quote(text)}, not layer numbers in rising order with commas between`);
}

function brief(shape: readonly number[]): string {
  return shape.length <= 4 ? shape.join(", ") : `${shape.slice(0, 4).join(", ")}, ...`;
}

function idsReader(file: SafetensorsFile, { layers, nExpertsAct: k }: CaptureLayout): CaptureSource["ids"] {
  let memory = new ArrayBuffer(0);
  return (index, from, to): IdArray => {
    const name = `layers.${layers[index]}.topk_ids`;
    const { dtype } = file.info(name);
    const direct = dtype === "U8" || dtype === "U16" || dtype === "I32";
    if (!direct) return file.readInt32(name, { begin: from * k, end: to * k });
    const length = (to - from) * k;
    const bytes = length * { U8: 1, U16: 2, I32: 4 }[dtype];
    if (memory.byteLength < bytes) memory = new ArrayBuffer(bytes);
    file.readBytes(name, from * k, new Uint8Array(memory, 0, bytes));
    if (dtype === "U8") return new Uint8Array(memory, 0, length);
    return dtype === "U16" ? new Uint16Array(memory, 0, length) : new Int32Array(memory, 0, length);
  };
}

/** All of them are read, wherever two captures are equal, so into memory that is used anew. */
function marginsReader(file: SafetensorsFile, { layers }: CaptureLayout): CaptureSource["marginsOf"] {
  let memory = new Float32Array(0);
  return (index, from, to) => {
    const name = `layers.${layers[index]}.router_margin`;
    if (file.info(name).dtype !== "F32") return floats(file, name, { begin: from, end: to });
    if (memory.length < to - from) memory = new Float32Array(to - from);
    const margins = memory.subarray(0, to - from);
    file.readBytes(name, from, new Uint8Array(margins.buffer, 0, margins.byteLength));
    return margins;
  };
}

function floats(
  file: SafetensorsFile,
  name: string,
  range: { readonly begin: number; readonly end: number },
): Float32Array {
  return file.readFloat32(name, range);
}
