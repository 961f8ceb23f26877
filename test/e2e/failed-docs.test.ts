/** A prompt that does not fit the context is no answer: it fails, is counted apart, and is asked again. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { editJson, modelCopy } from "./model-copy.ts";
import { fileOf, jsonOf, rowsOf, run, temporaryFolder } from "./program.ts";
import type { ProgramRun } from "./program.ts";

const parent = temporaryFolder();

interface Row {
  readonly doc_id: number;
  readonly outcome: { readonly kind: string; readonly reason?: string; readonly prompt_tokens?: number };
}

describe("some docs do not fit", () => {
  const folder = join(parent, "some");
  const journal = (variant: string): Row[] => rowsOf<Row>(join(folder, variant, "completions.jsonl"));
  let args: string[];
  let ended: ProgramRun;
  let failed: number[];

  beforeAll(async () => {
    // A context between the shortest and the longest of five prompts, whatever the model's tokenizer makes of them.
    const sizes = join(parent, "sizes");
    await run([
      "eval",
      "--task",
      "gsm_synth",
      "--limit",
      "5",
      "--num-fewshot",
      "0",
      "--max-tokens",
      "1",
      "--output",
      sizes,
    ]);
    const lengths = rowsOf<Row>(join(sizes, "baseline/completions.jsonl"))
      .map(({ doc_id: id, outcome }) => ({ id, tokens: outcome.prompt_tokens ?? 0 }))
      .toSorted((a, b) => a.tokens - b.tokens);
    const context = lengths[2]!.tokens + 1;
    failed = lengths
      .filter(({ tokens }) => tokens >= context)
      .map(({ id }) => id)
      .toSorted((a, b) => a - b);
    const model = modelCopy(parent, "small-context");
    editJson(model, "config.json", (config) => (config["max_position_embeddings"] = context));
    args = [
      "eval",
      "--task",
      "gsm_synth",
      "--fused",
      "--limit",
      "5",
      "--num-fewshot",
      "0",
      "--max-tokens",
      "8",
      "--model",
      model,
      "--output",
      folder,
    ];
    ended = await run(args);
  });

  it("ends with 3 and says which variant lacks how many", () => {
    expect(failed.length).toBeGreaterThan(0);
    expect(ended.code).toBe(3);
    expect(ended.stdout).toContain(`\nIncomplete.\n`);
    expect(ended.stdout).toContain(`baseline: ${failed.length} of 5 docs have no answer`);
    expect((jsonOf(join(folder, "run.json")) as RunRecord).status).toBe("incomplete");
  });

  it("has them in no denominator", () => {
    const { variants, paired, parity, verdict } = jsonOf(join(folder, "comparison.json")) as Comparison;
    const answered = 5 - failed.length;
    expect(verdict).toMatchObject({ held: true, complete: false });
    for (const { counts, failures } of variants) {
      expect([counts.total, counts.failed, counts.scored + counts.unanswered]).toEqual([5, failed.length, answered]);
      expect(failures.map(({ doc_id: id }) => id)).toEqual(failed);
    }
    expect(paired.map(({ n }) => n)).toEqual([answered, answered]);
    expect(parity).toMatchObject({ routing: { docs: answered } });
    expect(rowsOf(fileOf(folder, "baseline", "samples_"))).toHaveLength(2 * answered);
  });

  it("gives the reason in the journal and the report", () => {
    const reasons = journal("baseline").flatMap(({ outcome }) => (outcome.kind === "failed" ? [outcome.reason] : []));
    expect(reasons).toHaveLength(failed.length);
    for (const reason of reasons) expect(reason).toMatch(/^the prompt has \d+ tokens, and the model's context of \d+ /);
    expect(readFileSync(join(folder, "report.md"), "utf8")).toMatch(
      /Failed in baseline: doc \d+ `the prompt has \d+ tokens/,
    );
  });

  it("asks only those again", async () => {
    expect((await run(args)).code).toBe(3);
    for (const variant of ["baseline", "fused"]) {
      const times = (id: number): number => journal(variant).filter(({ doc_id: of }) => of === id).length;
      expect([0, 1, 2, 3, 4].map(times)).toEqual([0, 1, 2, 3, 4].map((id) => (failed.includes(id) ? 2 : 1)));
    }
  });
});

it("no doc fits: nothing was compared, and nothing is said to hold", async () => {
  const folder = join(parent, "none");
  const { code, stdout } = await run([
    "eval",
    "--task",
    "gsm_synth",
    "--fused",
    "--limit",
    "2",
    "--num-fewshot",
    "60",
    "--output",
    folder,
  ]);
  expect(code).toBe(3);
  expect(stdout).toContain("\nIncomplete.\n  no doc was answered by both variants: nothing was compared\n");
  expect(jsonOf(join(folder, "comparison.json")) as Comparison).toMatchObject({
    verdict: { held: false, complete: false },
    parity: { kind: "not judged" },
  });
});
