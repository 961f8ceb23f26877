/** Which layer of the model each layer of a payload is, and whether it has experts. */
import type { DecodedIds } from "./decoded-ids.ts";
import type { MoeLayout } from "./moe-layout.ts";

export interface LayerColumn {
  /** Along the payload's layer axis. */
  readonly column: number;
  /** Of the model. */
  readonly layer: number;
  readonly kind: "moe" | "dense";
}

export interface LayerColumns {
  readonly columns: readonly LayerColumn[];
  /** Layers that are taken for dense because nobody said what they are and all of their ids are 0. */
  readonly assumedDense: readonly number[];
}

/** Of a payload that has as many layers as the model, or as it has MoE layers. */
export function layerColumns(decoded: DecodedIds, { nLayers, moeLayers }: MoeLayout): LayerColumns {
  if (moeLayers === "unknown") return guess(decoded);
  if (decoded.layers !== nLayers) {
    return { columns: moeLayers.map((layer, column) => ({ column, layer, kind: "moe" })), assumedDense: [] };
  }
  const moe = new Set(moeLayers);
  const columns = Array.from({ length: nLayers }, (_, layer): LayerColumn => {
    return { column: layer, layer, kind: moe.has(layer) ? "moe" : "dense" };
  });
  return { columns, assumedDense: [] };
}

/**
 * Only leading layers: models that mix begin with their dense ones, nearly all of them. Zeros further back are then a
 * broken capture until a config says otherwise. With one expert per token, zeros may be a choice, so nothing is guessed.
 */
function guess({ ids, rows, layers, k }: DecodedIds): LayerColumns {
  const isZero = (column: number): boolean => {
    for (let row = 0; row < rows; row++) {
      const from = (row * layers + column) * k;
      for (let slot = from; slot < from + k; slot++) if (ids[slot] !== 0) return false;
    }
    return true;
  };
  let leading = 0;
  if (k > 1) while (leading < layers && isZero(leading)) leading++;
  const columns = Array.from({ length: layers }, (_, layer): LayerColumn => {
    return { column: layer, layer, kind: layer < leading ? "dense" : "moe" };
  });
  return { columns, assumedDense: Array.from({ length: leading }, (_, layer) => layer) };
}
