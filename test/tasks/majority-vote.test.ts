import { describe, expect, it, test } from "vitest";
import { majorityVote } from "../../tasks/majority-vote.ts";
import { HAS_SHARED, sharedJson } from "./shared.ts";

type Answers = [string | null, ...(string | null)[]];

describe("majorityVote", () => {
  test.each<[Answers, string | null]>([
    [["18", "20", "20"], "20"],
    [["20", "18"], "20"],
    [["18", "18.", "18."], "18."],
    [[null, null, "18"], null],
    [["__proto__", "constructor", "constructor"], "constructor"],
  ])("%j", (answers, winner) => {
    expect(majorityVote(answers)).toBe(winner);
  });
});

describe.skipIf(!HAS_SHARED)("majorityVote against lm-eval (needs ../shared)", () => {
  it("agrees, nothing found included", () => {
    const cases = sharedJson("golden/majority_vote.json") as { resps: string[]; majority: string }[];
    for (const { resps, majority } of cases) {
      const answers = resps.map((answer) => (answer === "[invalid]" ? null : answer)) as Answers;
      expect(majorityVote(answers) ?? "[invalid]").toBe(majority);
    }
  });
});
