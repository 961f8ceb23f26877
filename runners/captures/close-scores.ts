/** The scores of close choices in a capture file, looked up where two captures differ. */
import type { SafetensorsFile } from "../../engine/safetensors.ts";
import { quote } from "../../engine/safetensors-header.ts";
import type { CloseChoices } from "../../engine/requests.ts";
import type { UserError } from "../../errors.ts";

export type ChoiceRule = CloseChoices["rule"];

interface Layers {
  readonly layers: readonly number[];
  readonly nExpertsTot: number;
}

const NAMES = ["close_rows", "close_scores"] as const;

/**
 * How the router chooses; undefined where no scores are kept.
 *
 * @throws what `fail` makes, for tensors or metadata that are not of this model
 */
export function closeRule(
  file: SafetensorsFile,
  { layers, nExpertsTot }: Layers,
  fail: (reason: string) => UserError,
): ChoiceRule | undefined {
  if (!layers.some((layer) => NAMES.some((name) => file.tensors.has(`layers.${layer}.${name}`)))) return undefined;
  for (const layer of layers) {
    const [rows, scores] = NAMES.map((name) => file.tensors.get(`layers.${layer}.${name}`));
    if (rows?.dtype !== "I32" || rows.shape.length !== 1)
      throw fail(`layer ${layer} has no "close_rows" of I32 [choices]`);
    if (scores?.dtype !== "F32" || scores.shape.join() !== `${rows.size},${nExpertsTot}`)
      throw fail(`layer ${layer} has no "close_scores" of F32 [${rows.size}, ${nExpertsTot}]`);
  }
  const number = (name: string, most: number): number => {
    const text = file.metadata.get(name) ?? "1";
    if (/^\d{1,6}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
    throw fail(`its metadata's "${name}" is ${quote(text)}, not a whole number from 1 to ${most}`);
  };
  const nGroup = number("n_group", nExpertsTot);
  if (nExpertsTot % nGroup !== 0) throw fail(`its metadata's "n_group" ${nGroup} does not divide E = ${nExpertsTot}`);
  const topkGroup = number("topk_group", nGroup);
  const groupScore = file.metadata.get("group_score") ?? "best";
  if (groupScore !== "best" && groupScore !== "best two")
    throw fail(`its metadata's "group_score" is ${quote(groupScore)}, neither "best" nor "best two"`);
  return { nGroup, topkGroup, groupScore };
}

/** The scores [E] of a token (by its row in the file) in a layer; undefined where its choice was not close. */
export function closeScoresOf(
  file: SafetensorsFile,
  { layers, nExpertsTot }: Layers,
  index: number,
  row: number,
): Float32Array | undefined {
  const layer = layers[index];
  const name = `layers.${layer}.close_rows`;
  let [low, high] = [0, file.info(name).size];
  // Rows ascend. Few choices are close, and only those are looked up in which two captures differ.
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = file.readInt32(name, { begin: middle, end: middle + 1 })[0] as number;
    if (at === row) {
      const range = { begin: middle * nExpertsTot, end: (middle + 1) * nExpertsTot };
      return file.readFloat32(`layers.${layer}.close_scores`, range);
    }
    if (at < row) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
