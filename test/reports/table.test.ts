import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PythonFloat } from "../../reports/python-repr.ts";
import { makeHeaderLine, makeTable, type LmEvalTableInput } from "../../reports/table.ts";

const golden = new URL("../../../shared/golden/", import.meta.url);

interface Case {
  case: string;
  column?: "groups";
  input: LmEvalTableInput;
  table: string;
}

describe.skipIf(!existsSync(golden))("makeTable equals lm-eval's own output (needs ../shared/golden)", () => {
  const cases = existsSync(golden)
    ? readFileSync(new URL("tables.jsonl", golden), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Case)
    : [];

  test("there are as many vectors as expected", () => expect(cases).toHaveLength(42));

  test.each(cases)("$case", ({ input, column, table }) => {
    expect(makeTable(input, column)).toBe(table);
  });

  test("header line and table of a real run", () => {
    const results = JSON.parse(readFileSync(new URL("lm_eval_run/results.json", golden), "utf8")) as LmEvalTableInput;
    const header = makeHeaderLine({
      model: "local-completions",
      modelArgs: {
        model: "175b_verification",
        base_url: "http://127.0.0.1:18181/v1/completions",
        num_concurrent: 8,
        max_retries: 3,
        tokenized_requests: false,
        tokenizer_backend: null,
      },
      genKwargs: {},
      limit: 100,
      numFewshot: 5,
      batchSize: 1,
    });
    expect(`${header}\n${makeTable(results)}\n`).toBe(readFileSync(new URL("lm_eval_run/stdout.txt", golden), "utf8"));
  });
});

const task = (values: Record<string, number | string>): LmEvalTableInput => ({
  results: { t: values },
  group_subtasks: {},
  versions: { t: 1 },
  "n-shot": { t: 0 },
  higher_is_better: { t: { exact_match: true } },
});

/** The last column of a table of three tasks with these standard errors, without its header. */
const stderrColumn = (errors: readonly (number | string)[]): string[] => {
  const names = ["a", "b", "c"];
  const results = names.map((name, index) => [
    name,
    { "exact_match,none": 1, "exact_match_stderr,none": errors[index]! },
  ]);
  const table = makeTable({ ...task({}), results: Object.fromEntries(results) as LmEvalTableInput["results"] });
  return table
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => line.split("|").at(-2)!);
};

describe("makeTable", () => {
  test("rounds exact binary ties to even, as Python does: 1/32 is 0.0312, not 0.0313", () => {
    const table = makeTable(task({ "exact_match,none": 1 / 32, "exact_match_stderr,none": 3 / 32 }));
    expect(table).toContain("|0.0312|±  |0.0938|");
  });

  // Printed by pytablewriter 1.2.1 from the strings that lm-eval hands to it.
  test("in a column that also holds text, whole numbers lose their decimals, unless the text comes first", () => {
    expect(stderrColumn([0, "N/A", 0.0302])).toEqual(["------", "     0", "   N/A", "0.0302"]);
    expect(stderrColumn(["N/A", 0, 0.0302])).toEqual(["------", "   N/A", "0.0000", "0.0302"]);
  });

  test("lists group members under their group, and what is in no group last", () => {
    const score = { "exact_match,none": 0.5, "exact_match_stderr,none": 0.1 };
    const table = makeTable({
      results: { z: score, b: score, a: score, g: score },
      group_subtasks: { g: ["b", "a"] },
      versions: {},
      "n-shot": {},
      higher_is_better: {},
    });
    const names = table
      .trim()
      .split("\n")
      .slice(2)
      .map((line) => line.split("|")[1]);
    expect(names).toEqual(["g    ", " - a ", " - b ", "z    "]);
  });

  test("survives groups that hold each other, and a task named __proto__", () => {
    const table = makeTable({
      results: JSON.parse(
        '{"__proto__": {"exact_match,none": 1}, "g": {"exact_match,none": 1}}',
      ) as LmEvalTableInput["results"],
      group_subtasks: { g: ["h"], h: ["g"] },
      versions: {},
      "n-shot": {},
      higher_is_better: {},
    });
    expect(table.trim().split("\n")).toHaveLength(4);
    expect(table).toContain("|__proto__|");
  });
});

describe("makeHeaderLine", () => {
  test("prints what was not given as None, and quotes as Python does", () => {
    const line = makeHeaderLine({
      model: "embedded",
      modelArgs: { model: "it's", seeds: [1, new PythonFloat(2)] },
      genKwargs: { temperature: 0.5 },
      limit: null,
      numFewshot: null,
      batchSize: "auto",
    });
    expect(line).toBe(
      `embedded ({'model': "it's", 'seeds': [1, 2.0]}), gen_kwargs: ({'temperature': 0.5}), limit: None, num_fewshot: None, batch_size: auto`,
    );
  });
});
