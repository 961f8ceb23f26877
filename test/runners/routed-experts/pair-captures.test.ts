import { describe, expect, it } from "vitest";
import { compareRouting } from "../../../metrics/routing-parity.ts";
import { checkCapture, firstTokens, pairCaptures } from "../../../runners/routed-experts/index.ts";
import type {
  CapturedSequence,
  CaptureResult,
  MoeLayout,
  PairedRouting,
} from "../../../runners/routed-experts/index.ts";
import { choose } from "./encode.ts";

const LAYOUT: MoeLayout = { nLayers: 2, moeLayers: [0, 1], nExpertsTot: 16, nExpertsAct: 2 };
const PROMPT = [5, 6, 7];

/** A model whose choices depend on the token, all tokens before it, and the layer: as a real one's do. */
function captured(prompt: readonly number[], completion: readonly number[], layout = LAYOUT): CaptureResult {
  const tokens = [...prompt, ...completion];
  const { nLayers: layers, nExpertsAct: k, nExpertsTot } = layout;
  const values = tokens
    .slice(0, -1)
    .flatMap((_, row) =>
      Array.from({ length: layers }, (__, layer) => choose(k, nExpertsTot, layer, ...tokens.slice(0, row + 1))).flat(),
    );
  const decoded = { rows: tokens.length - 1, layers, k, ids: Int32Array.from(values) };
  return checkCapture(decoded, { promptTokens: prompt.length, completionTokens: completion.length }, layout);
}

function sequence(prompt: readonly number[], completion: readonly number[]): CapturedSequence {
  return {
    tokens: { kind: "known", prompt, completion },
    routing: captured(prompt, completion),
    logprobs: { kind: "given", values: Float32Array.from(completion, (id) => -id / 8) },
  };
}

function mismatches(routing: PairedRouting): number {
  const { tokensAffected } = compareRouting({ docId: 0, ...routing });
  return tokensAffected;
}

it("the same tokens are compared in full", () => {
  const one = sequence(PROMPT, [1, 2, 3, 4]);
  const paired = pairCaptures(one, sequence(PROMPT, [1, 2, 3, 4]));
  expect(paired).toMatchObject({
    tokens: { kind: "identical", ids: [5, 6, 7, 1, 2, 3, 4], promptTokens: 3 },
    routing: { kind: "paired", nTokens: 6, inputIds: [5, 6, 7, 1, 2, 3], layers: [0, 1], k: 2 },
    logprobs: { kind: "paired" },
  });
  expect(mismatches(paired.routing as PairedRouting)).toBe(0);
});

it.each([
  ["diverging in the middle", [1, 2, 3, 4], [1, 2, 9, 4, 5], 5, 2],
  ["diverging at once", [1, 2], [2, 1], 3, 0],
  ["one a start of the other", [1, 2, 3], [1, 2], 4, 2],
  ["the last differs", [1, 2, 3], [1, 2, 4], 5, 2],
])("%s: compared as far as all tokens before are the same", (_, a, b, tokens, shared) => {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ]) {
    const paired = pairCaptures(sequence(PROMPT, one!), sequence(PROMPT, other!));
    expect(paired.tokens.kind).toBe("shared start");
    expect(paired.routing).toMatchObject({ kind: "paired", nTokens: tokens });
    // One row more, and the models that are the same would look different.
    expect(mismatches(paired.routing as PairedRouting)).toBe(0);
    expect(paired.logprobs).toMatchObject({ baseline: { length: shared }, fused: { length: shared } });
  }
});

it("a difference of routing is seen, and where", () => {
  const fused = sequence(PROMPT, [1, 2, 3]);
  const { routing } = fused;
  const ids = routing.kind === "captured" ? routing.routing.topkIds : new Uint16Array();
  // Layer 1, token 4, both of its experts.
  ids.set(choose(2, 16, "another"), (1 * 5 + 4) * 2);
  const paired = pairCaptures(sequence(PROMPT, [1, 2, 3]), fused);
  const parity = compareRouting({ docId: 3, ...(paired.routing as PairedRouting) });
  expect(parity.firstDivergence).toEqual({ doc_id: 3, position: 4, layer: 1 });
});

describe("what cannot be compared is not", () => {
  const one = sequence(PROMPT, [1, 2]);
  const unknown = { kind: "unknown", reason: "the server does not say which tokens it ran" } as const;
  const brokenResult: CaptureResult = { kind: "broken", fault: "all-zero", reason: "capture broken: zeros" };
  const absent: CaptureResult = { kind: "absent", cause: "no-field", reason: "no field" };

  it.each<[string, CapturedSequence, object]>([
    [
      "other prompts",
      sequence([5, 6, 8], [1, 2]),
      { tokens: { reason: "the variants make different tokens of the same prompt" }, routing: { kind: "not judged" } },
    ],
    [
      "a longer prompt",
      sequence([5, 6, 7, 1], [2]),
      { routing: { kind: "not judged" }, logprobs: { kind: "not judged" } },
    ],
    [
      "tokens that are not known",
      { ...one, tokens: unknown },
      { routing: { kind: "not judged", reason: "fused: the server does not say which tokens it ran" } },
    ],
    [
      "a broken capture, even of unknown tokens",
      { ...one, tokens: unknown, routing: brokenResult },
      { routing: { kind: "broken", reason: "fused: capture broken: zeros" } },
    ],
    [
      "a broken capture, but log-probabilities",
      { ...one, routing: brokenResult },
      { routing: { kind: "broken", reason: "fused: capture broken: zeros" }, logprobs: { kind: "paired" } },
    ],
    [
      "no capture, but log-probabilities",
      { ...one, routing: absent },
      { routing: { kind: "not judged", reason: "fused: no field" }, logprobs: { kind: "paired" } },
    ],
    [
      "no log-probabilities",
      { ...one, logprobs: { kind: "absent", reason: "none" } },
      { routing: { kind: "paired" }, logprobs: { kind: "not judged", reason: "fused: none" } },
    ],
    [
      "another model",
      { ...one, routing: captured(PROMPT, [1, 2], { ...LAYOUT, nExpertsTot: 32 }) },
      { routing: { kind: "broken", reason: "the captures are of different models: 16 and 32 experts" } },
    ],
  ])("%s", (_, other, says) => {
    expect(pairCaptures(one, other)).toMatchObject(says);
  });
});

it("firstTokens cuts every layer, and refuses what is not there", () => {
  const result = captured(PROMPT, [1, 2, 3]);
  const routing = result.kind === "captured" ? result.routing : undefined;
  const shorter = captured(PROMPT, [1]);
  expect(firstTokens(routing!, 3)).toEqual(shorter.kind === "captured" && shorter.routing);
  expect(() => firstTokens(routing!, 6)).toThrow(RangeError);
});
