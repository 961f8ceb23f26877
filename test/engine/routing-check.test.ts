/** A kernel that errs only on few tokens errs where answers come from; that is where it has to be seen. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openCheckpoint } from "../../engine/checkpoint.ts";
import { Lane } from "../../engine/lane.ts";
import { Model } from "../../engine/model.ts";
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import type { RoutingImplementation } from "../../engine/routing/routing-data.ts";
import { tokenBytes } from "../../engine/token-bytes.ts";
import { loadTokenizer } from "../../engine/tokenizer.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { MODEL_DIR } from "./model-dir.ts";

async function laneWith(routing: RoutingImplementation): Promise<Lane> {
  const checkpoint = openCheckpoint(MODEL_DIR);
  const model = await Model.load(checkpoint, routing);
  checkpoint.close();
  onTestFinished(() => model.close());
  const path = join(MODEL_DIR, "tokenizer.json");
  return new Lane(model, tokenBytes(readFileSync(path, "utf8"), path), { maxSequences: 16, flatIndex: "slot" });
}

const tokenizer = loadTokenizer(MODEL_DIR);
const prompts = Array.from({ length: 12 }, (_, i) =>
  tokenizer.encode(`Question: ${synthProblem("train", 300 + i).question}\nAnswer:`),
);
const [prompt = []] = prompts;
const asked = { maxTokens: 6, stop: [], temperature: 0, seed: "", logprobs: false, checkRouting: true };

/** The fused chain, wrong where `wrong` says so: the weight of one entry is off. */
function faulty(wrong: (nTokens: number) => boolean): RoutingImplementation {
  return (input) => {
    const data = fusedRoutingFromTopk(input);
    if (wrong(input.nTokens)) data.gateScal[0] = (data.gateScal[0] as number) * 1.1;
    return data;
  };
}

describe("a fault for a single token at a time", () => {
  const fault = faulty((nTokens) => nTokens === 1);

  it("is seen in answering", async () => {
    const { invariants } = await (await laneWith(fault)).complete(1, { prompt, ...asked });
    expect(invariants?.checked).toBe(6 * 5 * 4);
    // One weight in each of 5 MoE layers and 6 steps, which is wrong by position and by token.
    expect(invariants?.broken).toBe(6 * 5 * 2);
    expect(invariants?.violations[0]).toMatchObject({ layer: 1, invariant: "gate_scal" });
  });

  it("is seen in scoring, in the part that is run token by token", async () => {
    const lane = await laneWith(fault);
    const tokens = [...prompt, 5, 6, 7];
    const scored = await lane.score(1, { tokens, decodeFrom: prompt.length - 1 });
    expect(scored.invariants.broken).toBe(3 * 5 * 2);
    expect((await lane.score(2, { tokens })).invariants.broken).toBe(0);
  });
});

it("a fault that needs several sequences at a time is seen in answering them", async () => {
  const lane = await laneWith(faulty((nTokens) => nTokens >= 8 && nTokens < 16));
  const completions = await Promise.all(prompts.map((each, id) => lane.complete(id, { prompt: each, ...asked })));
  const broken = completions.reduce((sum, { invariants }) => sum + (invariants?.broken ?? 0), 0);
  expect(broken).toBeGreaterThan(0);
  // Counted with one of the sequences: not once for each of them.
  expect(completions.filter(({ invariants }) => (invariants?.broken ?? 0) > 0)).toHaveLength(1);
});

it("nothing is checked for a sequence that did not ask", async () => {
  const lane = await laneWith(fusedRoutingFromTopk);
  const { invariants } = await lane.complete(1, { prompt, ...asked, checkRouting: false });
  expect(invariants).toBeUndefined();
});
