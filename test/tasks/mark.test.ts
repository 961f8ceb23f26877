import { describe, expect, it } from "vitest";
import { filteredResponse, getTask, mark, TASKS } from "../../tasks/index.ts";
import type { Marked, TaskName } from "../../tasks/index.ts";
import { HAS_SHARED, sharedRows } from "./shared.ts";

function shown(marks: ReadonlyMap<string, Marked>): object {
  return Object.fromEntries(
    [...marks].map(([filter, marked]) => [
      filter,
      { extracted: filteredResponse(marked), exact_match: marked.exactMatch },
    ]),
  );
}

/** The published completions end in `A: 18`. */
function withMark(text: string): string {
  return text.replace(/A: (.*)$/, "#### $1");
}

describe("mark", () => {
  it("gives each filter's answer and whether it is right, strict first", () => {
    const marks = mark(getTask("gsm8k"), "She has 18 left, or $2 each.\n#### 18", "16 + 2 = 18\n#### 18");
    expect([...marks]).toEqual([
      ["strict-match", { extracted: "18", exactMatch: 1 }],
      ["flexible-extract", { extracted: "18", exactMatch: 1 }],
    ]);
  });

  it("gives null, not a placeholder, where no answer was found", () => {
    const nothing = { extracted: null, exactMatch: 0 };
    expect([...mark(getTask("gsm8k"), "", "18").values()]).toEqual([nothing, nothing]);
  });

  it("reads the strict answer in each task's own words", () => {
    const said: Readonly<Record<TaskName, string>> = {
      gsm8k: "#### 18",
      gsm8k_cot: "The answer is 18.",
      gsm8k_cot_zeroshot: "The answer is 18.",
      gsm8k_cot_llama: "The final answer is 18",
      gsm8k_platinum: "#### 18",
      gsm_synth: "#### 18",
    };
    const strict = Object.values(TASKS).map((task) => [
      task.name,
      mark(task, said[task.name], "18").get("strict-match"),
    ]);
    expect(Object.fromEntries(strict)).toEqual(
      Object.fromEntries(Object.keys(said).map((name) => [name, { extracted: "18", exactMatch: 1 }])),
    );
  });
});

describe.skipIf(!HAS_SHARED)("mark against lm-eval (needs ../shared)", () => {
  it("agrees on every hard case", () => {
    interface Case {
      readonly completion: string;
      readonly target: string;
      readonly gold: string;
      readonly strict: object;
      readonly flexible: object;
      readonly cot_strict: object;
      readonly cot_llama_strict: object;
    }
    const cases = sharedRows<Case>("golden/extract.jsonl");
    for (const { completion, target, gold, strict, flexible, ...expected } of cases) {
      const marked = (name: string, against: string): object => ({
        completion,
        ...shown(mark(getTask(name), completion, against)),
      });
      const inAll = { completion, "flexible-extract": flexible };
      for (const against of [target, gold]) {
        expect(marked("gsm8k", against)).toEqual({ ...inAll, "strict-match": strict });
        expect(marked("gsm8k_cot", against)).toEqual({ ...inAll, "strict-match": expected.cot_strict });
        expect(marked("gsm8k_cot_llama", against)).toEqual({ ...inAll, "strict-match": expected.cot_llama_strict });
      }
    }
    expect(cases).toHaveLength(88);
  });

  it.each([
    ["6b_finetuning", 286],
    ["6b_verification", 515],
  ])("scores the real completions %s as %i of 1319, by both filters", (model, right) => {
    interface Solved {
      readonly ground_truth: string;
      readonly [model: string]: string | { readonly is_correct: boolean; readonly solution: string };
    }
    const rows = sharedRows<Solved>("gsm8k/model_solutions_6b.jsonl");
    const totals = { docs: 0, "strict-match": 0, "flexible-extract": 0, asPublished: 0 };
    for (const row of rows) {
      const { solution, is_correct } = row[model] as { is_correct: boolean; solution: string };
      const marks = mark(getTask("gsm8k"), withMark(solution), withMark(row.ground_truth));
      totals.docs++;
      totals["strict-match"] += marks.get("strict-match")!.exactMatch;
      totals["flexible-extract"] += marks.get("flexible-extract")!.exactMatch;
      totals.asPublished += (marks.get("flexible-extract")!.exactMatch === 1) === is_correct ? 1 : 0;
    }
    expect(totals).toEqual({ docs: 1319, "strict-match": right, "flexible-extract": right, asPublished: 1319 });
  });
});
