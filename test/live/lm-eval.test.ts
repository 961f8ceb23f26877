/** lm-eval and fusecheck ask the same server the same task: they must agree on every doc, and print the same table. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runLmEval } from "../../bench/peers/lm-eval.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { programPath, run, temporaryFolder } from "../e2e/program.ts";
import { sharedPath } from "../tasks/shared.ts";
import { isThere, titleOf } from "./peers.ts";
import { samplesOf, serve } from "./serving.ts";

const PEER = {
  name: "lm-eval",
  install: "a Python with lm-eval[api] in FUSECHECK_LIVE_LM_EVAL",
  variables: ["FUSECHECK_LIVE_LM_EVAL"],
} as const;
const DOCS = 60;
const CONCURRENCY = 8;

const folder = isThere(PEER) ? temporaryFolder() : "";

/** Problems that the model can solve, in GSM8K's files: of its own, it solves next to none. */
function solvable(): string {
  const data = join(folder, "data");
  mkdirSync(data, { recursive: true });
  for (const [split, problems] of [["train", 500] as const, ["test", 100] as const]) {
    const rows = Array.from({ length: problems }, (_, i) => synthProblem(split, i));
    const lines = rows.map(({ question, answer }) => `${JSON.stringify({ question, answer })}\n`);
    writeFileSync(join(data, `${split}.jsonl`), lines.join(""));
  }
  return data;
}

describe.each([titleOf(PEER)])("%s", () => {
  it.skipIf(!isThere(PEER)).each([
    ["GSM8K", 1, () => sharedPath("gsm8k")],
    ["problems that the model solves", 3, solvable],
  ])("agrees with fusecheck on `fusecheck serve`, doc by doc: %s", async (_name, numFewshot, dataOf) => {
    const data = dataOf();
    const baseUrl = await serve(`${process.execPath} ${programPath()} serve --port {port}`, "", "/health");
    const own = join(folder, `own-${numFewshot}`);
    const args = ["--task", "gsm8k", "--data", data, "--num-fewshot", String(numFewshot), "--limit", String(DOCS)];
    // As many tokens as lm-eval asks for where a task does not say.
    args.push("--max-tokens", "256", "--concurrency", String(CONCURRENCY), "--base-url", baseUrl);
    const { code, stdout } = await run(["eval", ...args, "--quiet", "--output", own]);
    expect(code).toBe(0);
    const theirs = await runLmEval({
      python: process.env["FUSECHECK_LIVE_LM_EVAL"] as string,
      data,
      baseUrl,
      model: "abacus-8m",
      numFewshot,
      limit: DOCS,
      concurrency: CONCURRENCY,
      folder: join(folder, `lm-eval-${numFewshot}`),
    });
    const fields = ({
      doc_id,
      filter,
      doc_hash,
      prompt_hash,
      target_hash,
      resps,
      ...row
    }: (typeof theirs.samples)[0]) =>
      ({
        doc_id,
        filter,
        doc_hash,
        prompt_hash,
        target_hash,
        resps,
        found: row.filtered_resps,
        match: row.exact_match,
      }) as const;
    expect(samplesOf(own).map(fields)).toEqual(theirs.samples.map(fields));
    expect(theirs.samples).toHaveLength(2 * DOCS);
    expect(tableIn(stdout)).toEqual(tableIn(theirs.stdout));
  });
});

function tableIn(text: string): string[] {
  const lines = text.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(0, 4);
}
