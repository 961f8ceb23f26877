/** What has to be known of a model to read captures that do not say it themselves. */
import { UserError } from "../../errors.ts";
import type { MoeLayout } from "../routed-experts/moe-layout.ts";

export interface ModelFacts {
  /** From the model's config.json. */
  readonly layout?: MoeLayout | undefined;
  /** E and K, where there is no config. */
  readonly nExpertsTot?: number | undefined;
  readonly nExpertsAct?: number | undefined;
  /** Layers without experts, where there is no config. */
  readonly denseLayers?: readonly number[] | undefined;
}

/** Which columns of a capture are which layers of the model. */
export interface CaptureColumns {
  readonly layers: readonly number[];
  readonly columns: readonly number[];
  readonly nExpertsTot: number;
}

const ASK = "give --model-config with the model's config.json";

/** @throws UserError where too little is known, or the capture is of another model */
export function columnsOf(
  path: string,
  model: ModelFacts,
  { nColumns, k }: { readonly nColumns: number; readonly k: number },
): CaptureColumns {
  const { layout, denseLayers = [] } = model;
  const nExpertsTot = expertsOf(path, model);
  const act = layout?.nExpertsAct ?? model.nExpertsAct;
  if (act !== undefined && act !== k)
    throw new UserError(`${path}: ${k} ids per token and layer, but the model has K = ${act}`);
  if (k > nExpertsTot)
    throw new UserError(`${path}: ${k} ids per token and layer, but there are only ${nExpertsTot} experts`);
  const all = Array.from({ length: nColumns }, (_, column) => column);
  if (layout !== undefined && layout.moeLayers !== "unknown") {
    const { nLayers, moeLayers } = layout;
    if (nColumns === moeLayers.length) return { layers: moeLayers, columns: all, nExpertsTot };
    if (nColumns === nLayers) return { layers: moeLayers, columns: moeLayers, nExpertsTot };
    throw new UserError(
      `${path}: ${nColumns} layers, but the model's config says ${nLayers}, ${moeLayers.length} of them with experts`,
    );
  }
  const outside = denseLayers.find((layer) => layer >= nColumns);
  if (outside !== undefined) throw new UserError(`${path}: there is no layer ${outside}; it has ${nColumns}`);
  const layers = all.filter((layer) => !denseLayers.includes(layer));
  if (layers.length === 0) throw new UserError(`${path}: all of its ${nColumns} layers are said to be dense`);
  return { layers, columns: layers, nExpertsTot };
}

export function expertsOf(path: string, { layout, nExpertsTot }: ModelFacts): number {
  const known = layout?.nExpertsTot ?? nExpertsTot;
  if (known !== undefined) return known;
  throw new UserError(`${path} does not say how many experts there are; ${ASK}, or --n-expts-tot`);
}

export function expertsPerTokenOf(path: string, { layout, nExpertsAct }: ModelFacts): number {
  const known = layout?.nExpertsAct ?? nExpertsAct;
  if (known !== undefined) return known;
  throw new UserError(`${path} does not say how many experts a token has; ${ASK}, or --n-expts-act`);
}
