/** Routing of a real model is never taken for broken, in no form: that of abacus-8m, as Transformers computes it. */
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { openSafetensors } from "../../../engine/safetensors.ts";
import { checkCapture, readCapture, readMoeLayout } from "../../../runners/routed-experts/index.ts";
import { altered, int32Text, nested, npyText, packed } from "./encode.ts";
import type { Ids } from "./encode.ts";

const LAYOUT = readMoeLayout(fileURLToPath(new URL("../../../models/abacus-8m/", import.meta.url)));
const MOE = LAYOUT.moeLayers === "unknown" ? [] : LAYOUT.moeLayers;
const NAMES = ["gsm8k-cot-0", "odd-2", "odd-4", "synth-0-shot-0", "synth-3-shot-0", "synth-chat-0"];

/** Of one prompt: [rows, 6 layers, 4], the dense layer zeros, and the same of the weights. */
function golden(name: string): { readonly ids: Ids; readonly weights: readonly number[] } {
  const file = openSafetensors(fileURLToPath(new URL("../../fixtures/abacus-8m/routing.safetensors", import.meta.url)));
  onTestFinished(() => file.close());
  const k = LAYOUT.nExpertsAct;
  const rows = file.info(`${name}.layers.1.topk_ids`).shape[0] as number;
  const ids = Array.from({ length: rows * LAYOUT.nLayers * k }, () => 0);
  const weights = ids.map(() => 0);
  for (const layer of MOE) {
    const [chosen, theirs] = [
      file.readInt32(`${name}.layers.${layer}.topk_ids`),
      file.readFloat32(`${name}.layers.${layer}.topk_weights`),
    ];
    for (let i = 0; i < rows * k; i++) {
      const to = (Math.floor(i / k) * LAYOUT.nLayers + layer) * k + (i % k);
      ids[to] = chosen[i] as number;
      weights[to] = theirs[i] as number;
    }
  }
  return { ids: { rows, layers: LAYOUT.nLayers, k, values: ids }, weights };
}

it.each(NAMES)("%s", (name) => {
  const { ids, weights } = golden(name);
  const tokens = { layout: LAYOUT, promptTokens: ids.rows, completionTokens: 1 };
  const results = [
    readCapture({ sglext: { routed_experts: int32Text(ids) } }, { form: "sglang", ...tokens }),
    readCapture({ choices: [{ routed_experts: npyText(ids, "|u1") }] }, { form: "vllm", ...tokens }),
    readCapture(
      { choices: [{ routed_experts: null }], prompt_routed_experts: nested(ids) },
      { form: "vllm", ...tokens },
    ),
    readCapture(
      { choices: [{ routed_experts: npyText(packed(ids, weights), "<i4") }] },
      { form: "prime-rl", ...tokens },
    ),
  ];
  for (const result of results) {
    expect(result).toMatchObject({ kind: "captured", routing: { layers: MOE, nTokens: ids.rows } });
    expect(result.kind === "captured" && result.routing.topkIds).toEqual(
      results[0]?.kind === "captured" && results[0].routing.topkIds,
    );
  }
  const last = results.at(-1);
  const sums = last?.kind === "captured" ? last.routing.topkWeights?.slice(0, 4).reduce((a, b) => a + b) : 0;
  // Renormalised, and scaled by 2.5.
  expect(sums).toBeCloseTo(2.5, 4);
});

it("each layer of a real prompt is missed", () => {
  const { ids } = golden("synth-3-shot-0");
  const tokens = { promptTokens: ids.rows, completionTokens: 1 };
  const check = (changed: Ids): string => {
    const result = checkCapture({ ...changed, ids: Int32Array.from(changed.values) }, tokens, LAYOUT);
    return result.kind === "broken" ? result.fault : result.kind;
  };
  expect(check(ids)).toBe("captured");
  const faults = MOE.map((broken) => [
    check(altered(ids, (id, _, layer) => (layer === broken ? 0 : id))),
    check(altered(ids, (id, _, layer, slot) => (layer === broken ? slot : id))),
  ]);
  expect(faults).toEqual(MOE.map(() => ["zero-layer", "constant"]));
});
