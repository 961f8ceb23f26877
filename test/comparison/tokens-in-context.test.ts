import { describe, expect, it } from "vitest";
import { tokensInContext } from "../../comparison/tokens-in-context.ts";
import type { ContextOptions } from "../../comparison/tokens-in-context.ts";
import type { WorstToken } from "../../metrics/worst-tokens.ts";
import type { TokenInContext } from "../../reports/reported-picture.ts";
import { openSafetensorsCapture } from "../../runners/captures/safetensors-capture.ts";
import { makeCapture, temporaryFiles, writeCaptureFile } from "../runners/captures/files.ts";

const file = temporaryFiles();
/** Docs 0 and 3, of 40 and 25 tokens. */
const capture = makeCapture([40, 25]);
const path = writeCaptureFile(file("capture.safetensors"), capture);
const anonymous = writeCaptureFile(file("anonymous.safetensors"), capture, { tokens: false });

function contextOf(doc_id: number, position: number, options?: ContextOptions, of = path): TokenInContext | null {
  const choice = { ids: [], weights: null, margin: null };
  const common = { cause: "unexplained", swapped: 1, weightMoved: null, baseline: choice, fused: choice } as const;
  const token: WorstToken = { doc_id, position, layer: 1, ...common };
  const source = openSafetensorsCapture(of);
  try {
    return tokensInContext([token], source, options)[0]!.token;
  } finally {
    source.close();
  }
}

const ids = (from: number, to: number): number[] => capture.inputIds.slice(from, to);

describe("a token in its context", () => {
  it("is found by its doc and position, with the ids around it", () => {
    expect(contextOf(3, 12)).toEqual({ id: capture.inputIds[52], before: ids(44, 52), after: ids(53, 57) });
  });

  it("has no neighbours from other docs", () => {
    expect(contextOf(3, 0)).toEqual({ id: capture.inputIds[40], before: [], after: ids(41, 45) });
    expect(contextOf(0, 38)).toEqual({ id: capture.inputIds[38], before: ids(30, 38), after: ids(39, 40) });
    expect(contextOf(3, 24)).toEqual({ id: capture.inputIds[64], before: ids(56, 64), after: [] });
  });

  it("is not known where the capture does not say, or has no such doc", () => {
    expect(contextOf(0, 3, {}, anonymous)).toBeNull();
    expect(contextOf(1, 3)).toBeNull();
    expect(contextOf(3, 25)).toBeNull();
  });

  it("is decoded where the tokenizer is at hand", () => {
    const decoder = { decode: (some: readonly number[]) => `<${some.join("+")}>`, nameOf: (id: number) => `#${id}` };
    expect(contextOf(3, 1, { decoder })?.text).toEqual({
      before: `<${capture.inputIds[40]}>`,
      token: `#${capture.inputIds[41]}`,
      after: `<${ids(42, 46).join("+")}>`,
    });
  });

  const doc = {
    prompt: `${"p".repeat(50)}QUESTION${"q".repeat(42)}`,
    answer: `${"a".repeat(500)}ANSWER${"b".repeat(494)}`,
    promptTokens: 20,
    answerTokens: 6,
  };
  const docs = new Map([[3, doc]]);

  it("else stands near some text, by its share of the prompt or answer", () => {
    expect(contextOf(3, 10, { docs })).toMatchObject({
      near: doc.prompt.slice(23, 83),
      part: { name: "prompt", index: 10, of: 20 },
    });
    expect(contextOf(3, 22, { docs })).toMatchObject({
      near: doc.answer.slice(387, 447),
      part: { name: "answer", index: 2, of: 6 },
    });
  });

  it("near no text where the engine's counts cannot be right", () => {
    expect(contextOf(3, 24, { docs: new Map([[3, { ...doc, answerTokens: 2 }]]) })).toEqual(contextOf(3, 24));
  });
});
