/**
 * Decides whether decoded ids are a capture. Engines fail here without a word: the shape is right, the text is right,
 * and the ids are zeros, those of another request, or none of the model's. Two such captures agree perfectly.
 */
import { broken } from "./capture-result.ts";
import type { BrokenCapture, CaptureResult } from "./capture-result.ts";
import type { DecodedIds } from "./decoded-ids.ts";
import { layerColumns } from "./layer-columns.ts";
import type { LayerColumn } from "./layer-columns.ts";
import { toLayerMajor } from "./layer-major.ts";
import type { MoeLayout } from "./moe-layout.ts";
import { scanLayer } from "./scan-layer.ts";
import type { LayerScan, RowScan } from "./scan-layer.ts";

export interface ExpectedTokens {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** The first row's token. Default: 0. */
  readonly start?: number;
  /** Prompt and completion, where they are known: how many of them differ decides what is suspicious. */
  readonly inputIds?: readonly number[];
}

/**
 * Distinct tokens from which on a layer that gives every row the same ids in the same order is taken for broken, as are
 * two layers that agree throughout. Below, a router may do so: a prompt of one word repeated has every reason to.
 */
export const MIN_DISTINCT_TOKENS = 32;

interface ScannedLayer extends LayerColumn {
  readonly scan: LayerScan;
}

export function checkCapture(decoded: DecodedIds, expected: ExpectedTokens, layout: MoeLayout): CaptureResult {
  const shape = checkShape(decoded, expected, layout);
  if (shape !== undefined) return shape;
  const { columns, assumedDense } = layerColumns(decoded, layout);
  const scanned = columns.map((at): ScannedLayer => {
    return {
      layer: at.layer,
      column: at.column,
      kind: at.kind,
      scan: scanLayer(decoded, at.column, layout.nExpertsTot),
    };
  });
  const moe = scanned.filter(({ kind }) => kind === "moe");
  const fault =
    everyIdZero(decoded, layout) ??
    checkDense(scanned, decoded) ??
    brokenLayers(moe, decoded, layout) ??
    checkSameness(moe, decoded, expected, layout) ??
    checkWeights(decoded, moe);
  if (fault !== undefined) return fault;
  return { kind: "captured", routing: toLayerMajor(decoded, moe, layout), assumedDense };
}

function checkShape(decoded: DecodedIds, expected: ExpectedTokens, layout: MoeLayout): BrokenCapture | undefined {
  const { rows, layers, k } = decoded;
  const { promptTokens, completionTokens, start = 0 } = expected;
  const { nLayers, moeLayers, nExpertsAct } = layout;
  const wanted = promptTokens + completionTokens - 1 - start;
  const sum = `${promptTokens} prompt + ${completionTokens} completion - 1${start === 0 ? "" : ` - ${start}`} = ${wanted}`;
  // Before the other axes: a part without rows has none.
  if (rows === 0 || rows < wanted) return broken("missing-rows", `${rows} rows for ${sum} tokens`);
  if (k !== nExpertsAct)
    return broken("wrong-k", `${k} ids per token and layer, but the model's config says ${nExpertsAct}`);
  const nMoe = moeLayers === "unknown" ? nLayers : moeLayers.length;
  if (layers !== nLayers && layers !== nMoe) {
    const some = nMoe === nLayers ? "" : `, ${nMoe} of them with experts`;
    return broken("wrong-layers", `${layers} layers, but the model's config says ${nLayers}${some}`);
  }
  return rows > wanted ? broken("extra-rows", `${rows} rows for ${sum} tokens`) : undefined;
}

function everyIdZero({ ids }: DecodedIds, { nExpertsTot }: MoeLayout): BrokenCapture | undefined {
  return nExpertsTot === 1 || ids.some((id) => id !== 0) ? undefined : allZero();
}

export function allZero(): BrokenCapture {
  return broken(
    "all-zero",
    "every id is 0: the MoE kernel chooses experts inside itself and nothing was recorded; " +
      "take another MoE backend for the capture (vLLM: --moe-backend triton)",
  );
}

/** A layer without experts that nevertheless names K different ones for every token. Engines leave its rows at 0. */
function checkDense(layers: readonly ScannedLayer[], { rows }: DecodedIds): BrokenCapture | undefined {
  const found = layers.find(({ kind, scan }) => kind === "dense" && scan.validRows === rows && scan.zeroRows < rows);
  if (found === undefined) return undefined;
  return broken(
    "dense-layer",
    `layer ${found.layer} is dense by the model's config but carries ids: ` +
      "a draft model wrote its own there (switch speculative decoding off), or the config is another model's",
  );
}

/** A layer of which all rows were scanned. */
export interface ScannedRows {
  readonly layer: number;
  readonly scan: RowScan;
}

/** Layers with ids that no router can have chosen. */
export function brokenLayers(
  layers: readonly ScannedRows[],
  { rows, k }: Pick<DecodedIds, "rows" | "k">,
  { nExpertsTot }: Pick<MoeLayout, "nExpertsTot">,
): BrokenCapture | undefined {
  const found = (bad: (scan: RowScan) => boolean): Found | undefined => locate(layers, bad);
  const cached = found((scan) => scan.negativeRows > 0);
  if (cached !== undefined)
    return broken(
      "cached",
      `${cached.scan.negativeRows} of ${rows} rows hold -1 in ${cached.where}: their prefix was cached and not routed ` +
        "again; switch prefix caching off for the capture",
    );
  const outside = found((scan) => scan.outside !== undefined);
  if (outside?.scan.outside !== undefined)
    return broken(
      "out-of-range",
      `${outside.where}, row ${outside.scan.outside.row}: id ${outside.scan.outside.id}, ` +
        `but there are ${nExpertsTot} experts${outside.hint}`,
    );
  const zero = k > 1 ? found((scan) => scan.zeroRows === rows) : undefined;
  if (zero !== undefined)
    return broken(
      "zero-layer",
      `every id of ${zero.where} is 0: nothing was recorded there, or it is dense and the config does not say so`,
    );
  const zeroRows = k > 1 ? found((scan) => scan.zeroRows > 0) : undefined;
  if (zeroRows !== undefined)
    return broken(
      "zero-rows",
      `${zeroRows.scan.zeroRows} of ${rows} rows of ${zeroRows.where} are all 0: nothing was recorded for these tokens ` +
        "(answered from the prefix cache, or by a kernel that chooses inside itself)",
    );
  const twice = found((scan) => scan.duplicate !== undefined);
  if (twice?.scan.duplicate !== undefined)
    return broken(
      "duplicate-ids",
      `${twice.where}, row ${twice.scan.duplicate.row}: expert ${twice.scan.duplicate.id} twice, ` +
        `where ${k} different ones are chosen${twice.hint}`,
    );
  return undefined;
}

interface Found {
  readonly scan: RowScan;
  readonly where: string;
  readonly hint: string;
}

/** The first layer that is bad, and what it means when no other is. */
function locate(layers: readonly ScannedRows[], bad: (scan: RowScan) => boolean): Found | undefined {
  const all = layers.filter(({ scan }) => bad(scan));
  const [first] = all;
  if (first === undefined) return undefined;
  const onlyFirst = all.length === 1 && first === layers[0] && layers.length > 1;
  const others = all.length > 1 ? ` (and ${all.length - 1} more)` : "";
  return {
    scan: first.scan,
    where: `layer ${first.layer}${others}`,
    hint: onlyFirst ? "; no other layer is wrong: a draft model overwrites it (switch speculative decoding off)" : "",
  };
}

function checkSameness(
  layers: readonly ScannedLayer[],
  { rows }: DecodedIds,
  { start = 0, inputIds }: ExpectedTokens,
  { nExpertsAct, nExpertsTot }: MoeLayout,
): BrokenCapture | undefined {
  // Where every token uses every expert, all rows may well be the same.
  if (nExpertsAct === nExpertsTot) return undefined;
  const distinct = inputIds === undefined ? rows : new Set(inputIds.slice(start, start + rows)).size;
  if (distinct < MIN_DISTINCT_TOKENS) return undefined;
  const constant = constantLayer(layers, String(distinct));
  if (constant !== undefined) return constant;
  const seen = new Map<string, number>();
  for (const { layer, scan } of layers) {
    const other = seen.get(scan.digest);
    if (other !== undefined) return sameLayers(other, layer, rows);
    seen.set(scan.digest, layer);
  }
  return undefined;
}

/** @param distinct - how many different tokens there are, in words */
export function constantLayer(layers: readonly ScannedRows[], distinct: string): BrokenCapture | undefined {
  const constant = locate(layers, (scan) => scan.constant);
  if (constant === undefined) return undefined;
  return broken("constant", `${constant.where} has the same ids for ${distinct} different tokens`);
}

export function sameLayers(one: number, other: number, rows: number): BrokenCapture {
  return broken("same-layers", `layers ${one} and ${other} hold the same ids for all of ${rows} rows`);
}

/** Weights are shares of a token, scaled: below this, all of a token's together are bits that mean something else. */
const MIN_WEIGHT_SUM = 1e-6;

/** Whether a token's weights, whose absolute values add up to `sum`, can be weights. */
export function isWeightSum(sum: number): boolean {
  return sum >= MIN_WEIGHT_SUM && sum < Infinity;
}

export function badWeights(layer: number, row: number, sum: number): BrokenCapture {
  return broken("bad-weights", `layer ${layer}, row ${row}: weights that add up to ${sum}`);
}

function checkWeights(
  { rows, layers, k, weights }: DecodedIds,
  moe: readonly LayerColumn[],
): BrokenCapture | undefined {
  if (weights === undefined) return undefined;
  for (const { layer, column } of moe) {
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      const from = (row * layers + column) * k;
      for (let slot = from; slot < from + k; slot++) sum += Math.abs(weights[slot] as number);
      if (!isWeightSum(sum)) return badWeights(layer, row, sum);
    }
  }
  return undefined;
}
