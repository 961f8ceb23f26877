/** Dumps to test with: sound ones, and ones that were spoiled. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import { routingFromTopk } from "../../engine/routing/reference-chain.ts";
import type { RoutingInput, WeightArray } from "../../engine/routing/routing-data.ts";
import type { Dtype } from "../../engine/safetensors-header.ts";
import { writeSafetensors } from "../../engine/safetensors-writer.ts";
import type { TensorArray } from "../../engine/safetensors.ts";

export type Tensors = Map<string, { dtype: Dtype; shape: readonly number[]; data: TensorArray }>;

export const INPUT: RoutingInput = {
  topkIds: Int32Array.of(2, 0, 1, 2, 0, 2),
  topkWeights: Float32Array.of(0.7, 0.3, 0.6, 0.4, 0.8, 0.2),
  nTokens: 3,
  nExpertsAct: 2,
  nExpertsTot: 4,
};

export function int32(
  values: Int32Array,
  shape: readonly number[] = [values.length],
): { dtype: "I32"; shape: readonly number[]; data: Int32Array } {
  return { dtype: "I32", shape, data: values };
}

/** One case `c`, as the reference chain (`ref`) and as the fused one (`kernel`) make it. */
export function soundTensors(input: RoutingInput<WeightArray> = INPUT, dtype: Dtype = "F32"): Tensors {
  const shape = [input.nTokens, input.nExpertsAct];
  const tensors: Tensors = new Map();
  // Copies: tests spoil what they get.
  tensors.set("c.topk_ids", int32(input.topkIds.slice(), shape));
  tensors.set("c.topk_weights", { dtype, shape, data: input.topkWeights.slice() });
  if (input.expertMap !== undefined) tensors.set("c.expert_map", int32(input.expertMap));
  for (const [name, chain] of Object.entries({ ref: routingFromTopk, kernel: fusedRoutingFromTopk })) {
    const { hist, topkIndx, gateIndx, gateScal } = chain(input);
    tensors.set(`c.${name}_hist`, int32(hist));
    tensors.set(`c.${name}_topk_indx`, int32(topkIndx));
    tensors.set(`c.${name}_gate_indx`, int32(gateIndx));
    tensors.set(`c.${name}_gate_scal`, { dtype, shape: [gateScal.length], data: gateScal });
  }
  return tensors;
}

/** A folder for the file's tests, removed after them. */
export function dumpFolder(): { write: (name: string, tensors: Tensors) => string; path: (name: string) => string } {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-dump-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, `${name}.safetensors`);
  return {
    path,
    write: (name, tensors) => {
      const specs = [...tensors].map(([tensor, { dtype, shape, data }]) => ({ name: tensor, dtype, shape, data }));
      writeSafetensors(path(name), specs);
      return path(name);
    },
  };
}
