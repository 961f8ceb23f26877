import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../nearest.ts";

const TASKS = ["gsm8k", "gsm8k_cot", "gsm_synth"];

describe("nearest", () => {
  it.each([
    ["gsm9k", "gsm8k"],
    ["GSM8K", "gsm8k"],
    ["gsm8k-cot", "gsm8k_cot"],
    ["gsmsynth", "gsm_synth"],
  ])("takes %s for a slip of %s", (name, meant) => expect(nearest(name, TASKS)).toBe(meant));

  it.each(["mmlu_pro", "__proto__", "", "hellaswag"])("has no guess for %j", (name) => {
    expect(nearest(name, TASKS)).toBeUndefined();
    expect(didYouMean(name, TASKS)).toBe("");
  });

  it("knows nothing where nothing is known", () => {
    expect(nearest("gsm8k", [])).toBeUndefined();
  });

  it("puts its guess into words", () => {
    expect(didYouMean("gsm9k", TASKS)).toBe(' (did you mean "gsm8k"?)');
  });
});
