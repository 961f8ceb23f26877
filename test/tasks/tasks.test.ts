import { describe, expect, it, test } from "vitest";
import { UserError } from "../../errors.ts";
import { getTask, TASKS } from "../../tasks/index.ts";
import { finalAnswer } from "../../tasks/final-answer.ts";

describe("getTask", () => {
  it("knows every task of the table under its own name", () => {
    for (const [name, task] of Object.entries(TASKS)) expect([getTask(name), task.name]).toEqual([task, name]);
  });

  it.each(["__proto__", "constructor", "toString", "", "hellaswag"])("refuses %j and lists what there is", (name) => {
    expect(() => getTask(name)).toThrow(UserError);
    expect(() => getTask(name)).toThrow(Object.keys(TASKS).join(", "));
  });

  it("suggests the nearest name", () => {
    expect(() => getTask("gsm8kcot")).toThrow('did you mean "gsm8k_cot"?');
  });

  it("has lm-eval's versions and numbers of examples", () => {
    expect(Object.values(TASKS).map(({ name, version, numFewshot }) => [name, version, numFewshot])).toEqual([
      ["gsm8k", 3, 5],
      ["gsm8k_cot", 3, 8],
      ["gsm8k_cot_zeroshot", 3, 0],
      ["gsm8k_cot_llama", 4, 8],
      ["gsm8k_platinum", 3, 5],
      ["gsm_synth", 1, 3],
    ]);
  });
});

describe("finalAnswer", () => {
  test.each([
    ["5 + 5\n#### 10", "10"],
    ["#### 1\n#### 1,000 \n", "1,000"],
    ["####10", "10"],
    ["no mark", "no mark"],
    // Python's strip takes off U+001F and U+0085, and keeps U+FEFF.
    ["#### \u001f10\u0085\ufeff", "10\u0085\ufeff"],
    ["#### \u001f10\u0085\n", "10"],
  ])("%j", (answer, expected) => {
    expect(finalAnswer({ question: "", answer })).toBe(expected);
  });
});
