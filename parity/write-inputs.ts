/** Writes the spot check's inputs as a dump, so that a kernel elsewhere can be run on them and checked. */
import type { HalfFormat } from "../engine/half-floats.ts";
import { routingFromTopk } from "../engine/routing/reference-chain.ts";
import type { Dtype } from "../engine/safetensors-header.ts";
import { type TensorSpec, writeSafetensors } from "../engine/safetensors-writer.ts";
import type { TensorArray } from "../engine/safetensors.ts";
import { fixedCases, type RoutingCase } from "./routing-cases.ts";
import { makeRoutingInput } from "./routing-inputs.ts";

const DTYPES: Readonly<Record<"f32" | HalfFormat, Dtype>> = { f32: "F32", bf16: "BF16", f16: "F16" };

/**
 * Writes every fixed case's selection with the reference chain's answer (`ref`).
 * @returns the number of cases
 * @throws UserError where the file cannot be written
 */
export function writeRoutingInputs(path: string, seed: number): number {
  const cases = fixedCases();
  writeSafetensors(
    path,
    cases.flatMap((of, index) => tensorsOf(of, index, seed)),
    { seed: `${seed}` },
  );
  return cases.length;
}

function tensorsOf(of: RoutingCase, index: number, seed: number): (TensorSpec & { data: TensorArray })[] {
  const input = makeRoutingInput(of, seed);
  const { hist, topkIndx, gateIndx, gateScal } = routingFromTopk(input);
  const { nTokens, nExpertsAct, expertMap } = input;
  // Numbered, as a shape comes more than once.
  const name = `${String(index).padStart(3, "0")}_${of.name.replaceAll(/\W+/g, "_")}`;
  const integers = (array: string, data: Int32Array, shape = [data.length]): TensorSpec & { data: TensorArray } => ({
    name: `${name}.${array}`,
    dtype: "I32",
    shape,
    data,
  });
  const weights = { dtype: DTYPES[of.dtype] };
  return [
    integers("topk_ids", input.topkIds, [nTokens, nExpertsAct]),
    { name: `${name}.topk_weights`, ...weights, shape: [nTokens, nExpertsAct], data: input.topkWeights },
    ...(expertMap === undefined ? [] : [integers("expert_map", expertMap)]),
    integers("ref_hist", hist),
    integers("ref_topk_indx", topkIndx),
    integers("ref_gate_indx", gateIndx),
    { name: `${name}.ref_gate_scal`, ...weights, shape: [gateScal.length], data: gateScal },
  ];
}
