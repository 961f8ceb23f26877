import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareRoutingData } from "../../../engine/routing/compare-routing-data.ts";
import { expertData } from "../../../engine/routing/expert-tiles.ts";
import { checkRoutingData } from "../../../engine/routing/invariants.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../../../engine/routing/routing-data.ts";
import { ROUTING } from "../../../engine/routing/routing.ts";
import { openSafetensors, type SafetensorsFile } from "../../../engine/safetensors.ts";

const path = fileURLToPath(new URL("../../../../shared/routing/aiter_dumps.safetensors", import.meta.url));
const CASES = ["n1_k8_e384_f32", "n32_k4_e16_f32", "n64_k6_e256_f32", "n64_k6_e256_bf16"];
const CLEAN = { violationCount: 0, violations: [] };

describe.skipIf(!existsSync(path))("dumps of the GPU kernels (needs ../shared/routing)", () => {
  let file: SafetensorsFile;
  beforeAll(() => (file = openSafetensors(path)));
  afterAll(() => file.close());

  function weights(name: string): WeightArray {
    const values = file.read(name);
    if (values instanceof Float32Array || values instanceof Uint16Array) return values;
    throw new TypeError(`${name} is not f32 or bf16`);
  }
  function inputOf(name: string): RoutingInput<WeightArray> {
    const [nTokens = 0, nExpertsAct = 0] = file.info(`${name}.topk_ids`).shape;
    const nExpertsTot = file.info(`${name}.ref_hist`).size;
    const topkIds = file.readInt32(`${name}.topk_ids`);
    return { topkIds, topkWeights: weights(`${name}.topk_weights`), nTokens, nExpertsAct, nExpertsTot };
  }
  function dumpOf(name: string, variant: "ref" | "fused"): RoutingData<WeightArray> {
    return {
      hist: file.readInt32(`${name}.${variant}_hist`),
      topkIndx: file.readInt32(`${name}.${variant}_topk_indx`),
      gateIndx: file.readInt32(`${name}.${variant}_gate_indx`),
      gateScal: weights(`${name}.${variant}_gate_scal`),
    };
  }

  test("every case in the file is tested", () => {
    const found = new Set([...file.tensors.keys()].map((name) => name.split(".")[0]));
    expect(found).toEqual(new Set(CASES));
  });

  describe.each(CASES)("%s", (name) => {
    test("the reference chain gives the torch reference's arrays, element by element", () => {
      expect(ROUTING.reference(inputOf(name))).toEqual(dumpOf(name, "ref"));
    });

    test("the fused chain has the GPU kernel's histogram and, per expert, its entries", () => {
      const input = inputOf(name);
      const fused = ROUTING.fused(input);
      const dump = dumpOf(name, "fused");
      expect(fused.hist).toEqual(dump.hist);
      expect(compareRoutingData(dump, fused, input.nExpertsAct)).toMatchObject({ ...CLEAN, maxWeightDifference: 0 });
      expect(expertData(fused.hist)).toEqual(expertData(dumpOf(name, "ref").hist));
    });

    test("the dumps themselves keep every invariant", () => {
      const input = inputOf(name);
      expect(checkRoutingData(input, dumpOf(name, "ref"), "row-sorted")).toMatchObject(CLEAN);
      expect(checkRoutingData(input, dumpOf(name, "fused"), "slot")).toMatchObject(CLEAN);
    });
  });
});
