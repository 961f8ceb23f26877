/** What a reasoning model says before its answer: kept in the run folder, said in the report, and no part of the score. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { evaluate } from "../../comparison/evaluate.ts";
import { renderConsole } from "../../reports/console.ts";
import type { Comparison } from "../../reports/comparison.ts";
import { renderReport } from "../../reports/markdown.ts";
import { resolveVariants } from "../../runners/config/index.ts";
import { ServerVariants } from "../../runners/server-variants.ts";
import { getTask } from "../../tasks/index.ts";
import { fileOf, rowsOf } from "../e2e/program.ts";
import { startTestServer } from "../runners/openai/ask.ts";
import { completeFrom, solutions } from "./replayed.ts";

const DOCS = 12;
/** With an answer in it, which a filter would find. */
const REASONING = "They want a number.\n#### 3\nOr do they? The answer is 4.";

interface Ran {
  readonly comparison: Comparison;
  readonly folder: string;
}

async function run(reasoning: string | undefined, dialect: "vllm" | "openai", stream: boolean): Promise<Ran> {
  const complete = completeFrom(await solutions(DOCS));
  const saying = { dialect, complete, ...(reasoning !== undefined && { reasoning }) };
  const [one, other] = [await startTestServer(saying), await startTestServer(saying)];
  const config = resolveVariants({
    engine: dialect,
    api: "chat",
    variants: { baseline: { base_url: one.baseUrl }, fused: { base_url: other.baseUrl } },
  });
  const { baseline, fused, ...shared } = config;
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-reasoning-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const task = getTask("gsm_synth");
  const { comparison } = await evaluate({
    task,
    data: await task.load({}),
    settings: { fused: true, limit: DOCS, numFewshot: 0, chat: true, concurrency: 4 },
    engines: () => new ServerVariants({ shared, baseline, fused, ask: { env: {}, stream } }),
    output: folder,
    asked: {},
    command: "fusecheck eval",
    signal: new AbortController().signal,
    progress: { start: () => () => {}, end: () => {}, note: () => {} },
  });
  return { comparison, folder };
}

describe.each([
  ["vllm", false],
  ["vllm", true],
  ["openai", false],
  ["openai", true],
] as const)("%s (streamed: %s)", (dialect, stream) => {
  it("is in the journal, in the samples and in the report, and changes no score", async () => {
    const silent = await run(undefined, dialect, stream);
    const { comparison, folder } = await run(REASONING, dialect, stream);
    const answers = ({ comparison: { variants, paired } }: Ran): unknown => [
      variants.map(({ table, counts, truncated }) => [table.results, counts, truncated]),
      paired,
    ];
    expect(answers({ comparison, folder })).toEqual(answers(silent));
    expect(comparison.variants[0]?.counts).toMatchObject({ total: DOCS, failed: 0 });
    for (const variant of ["baseline", "fused"]) {
      const journal = rowsOf<{ outcome: object }>(join(folder, variant, "completions.jsonl"));
      expect(journal.map(({ outcome }) => outcome)).toEqual(
        Array.from({ length: DOCS }, () => expect.objectContaining({ reasoning: REASONING })),
      );
      const [own = [], other = []] = [folder, silent.folder].map((each) =>
        rowsOf<object>(fileOf(each, variant, "samples_")),
      );
      // Whatever else stands in a sample is what it is without.
      for (const row of other) Object.assign(row, { reasoning: REASONING });
      expect(own).toEqual(other);
    }
    expect(comparison.variants.map(({ reasoned }) => reasoned)).toEqual([DOCS, DOCS]);
    const said = "baseline: 12 of 12 answers came with reasoning, kept apart";
    expect(readFileSync(join(folder, "report.md"), "utf8")).toContain(said);
    expect(renderConsole(comparison)).toContain("0 cut at max_tokens, 12 with reasoning kept apart");
  });
});

it("is not spoken of where no answer had some", async () => {
  const { comparison, folder } = await run(undefined, "openai", false);
  expect(comparison.variants[0]).not.toHaveProperty("reasoned");
  for (const text of [renderReport(comparison), renderConsole(comparison)]) expect(text).not.toContain("reasoning");
  expect(readFileSync(join(folder, "baseline/completions.jsonl"), "utf8")).not.toContain("reasoning");
});
