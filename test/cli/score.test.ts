import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HAS_SHARED, sharedPath, sharedRows } from "../tasks/shared.ts";
import { runFusecheck } from "./run-cli.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-score-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function completions(rows: readonly unknown[]): Promise<string> {
  const path = join(folder, "completions.jsonl");
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return path;
}

describe("fusecheck score", () => {
  it("prints lm-eval's table, and writes what each filter found", async () => {
    const path = await completions([
      { target: "18", completion: "#### 18" },
      { target: "18", completion: "I think 18" },
      { target: "1,000", completion: "no idea" },
      { target: "5", completion: "#### 5" },
    ]);
    const output = join(folder, "marks.jsonl");
    const args = ["score", "--task", "gsm8k", "--completions", path, "--output", output, "--num-fewshot", "3"];
    const { code, stdout, stderr } = await runFusecheck(args);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(
      [
        "|Tasks|Version|     Filter     |n-shot|  Metric   |   |Value|   |Stderr|",
        "|-----|------:|----------------|-----:|-----------|---|----:|---|-----:|",
        "|gsm8k|      3|flexible-extract|     3|exact_match|↑  | 0.75|±  |0.2500|",
        "|     |       |strict-match    |     3|exact_match|↑  | 0.50|±  |0.2887|",
        "",
        "",
      ].join("\n"),
    );
    const rows = (await readFile(output, "utf8")).trimEnd().split("\n");
    expect(rows).toHaveLength(4);
    expect(rows[1]).toBe(
      '{"target":"18","strict-match":{"extracted":null,"exact_match":0},"flexible-extract":{"extracted":"18","exact_match":1}}',
    );
  });

  it("refuses a malformed row in one line, and writes nothing", async () => {
    const path = await completions([{ target: "18", completion: "18" }, { target: "18" }]);
    const output = join(folder, "marks.jsonl");
    const { code, stdout, stderr } = await runFusecheck([
      "score",
      "--task",
      "gsm8k",
      "--completions",
      path,
      "--output",
      output,
    ]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^fusecheck: \S+completions\.jsonl, line 2: no "completion"; expected [^\n]+\n$/);
    expect(await readdir(folder)).toEqual(["completions.jsonl"]);
  });
});

describe.skipIf(!HAS_SHARED)("fusecheck score against lm-eval (needs ../shared)", () => {
  it("prints the table of a real run over its completions", async () => {
    interface Sample {
      readonly doc_id: number;
      readonly filter: string;
      readonly resps: readonly [readonly [string]];
    }
    const samples = sharedRows<Sample>("golden/lm_eval_run/samples_gsm8k.jsonl");
    const rows = samples.filter(({ filter }) => filter === "strict-match");
    const path = await completions(rows.map((row) => ({ doc_id: row.doc_id, completion: row.resps[0][0] })));
    const args = ["score", "--task", "gsm8k", "--completions", path, "--data", sharedPath("gsm8k")];
    const printed = await readFile(sharedPath("golden/lm_eval_run/stdout.txt"), "utf8");
    const { stdout } = await runFusecheck(args);
    expect(stdout).toBe(printed.slice(printed.indexOf("\n") + 1));
  });
});
