import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { getTask, scoreCompletions } from "../../tasks/index.ts";
import type { ScoreSummary, TaskName } from "../../tasks/index.ts";
import { HAS_SHARED, sharedPath, sharedRows } from "./shared.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-score-"));
  await writeFile(
    join(folder, "test.jsonl"),
    '{"question":"a","answer":"#### 1"}\n{"question":"b","answer":"#### 2"}\n',
  );
  await writeFile(join(folder, "train.jsonl"), '{"question":"c","answer":"#### 3"}\n');
});

afterEach(() => rm(folder, { recursive: true }));

async function score(
  rows: readonly unknown[],
  name: TaskName = "gsm8k",
): Promise<{ summary: ScoreSummary; output: unknown[] }> {
  const completions = join(folder, "completions.jsonl");
  const output = join(folder, "marks.jsonl");
  const text = rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n");
  await writeFile(completions, text);
  const summary = await scoreCompletions(getTask(name), {
    completions,
    output,
    source: name === "gsm_synth" ? {} : { dir: folder },
  });
  const lines = (await readFile(output, "utf8")).trimEnd().split("\n");
  return { summary, output: lines.map((line) => JSON.parse(line) as unknown) };
}

describe("scoreCompletions", () => {
  it("marks rows by doc_id or target, in their order", async () => {
    const { summary, output } = await score([
      { doc_id: 1, completion: "#### 2", other: "ignored" },
      { target: "18", completion: "so 18" },
      { target: "#### 5", completion: "" },
      { doc_id: 0, target: "7", completion: "#### 7." },
    ]);
    expect(output).toEqual([
      {
        doc_id: 1,
        "strict-match": { extracted: "2", exact_match: 1 },
        "flexible-extract": { extracted: "2", exact_match: 1 },
      },
      {
        target: "18",
        "strict-match": { extracted: null, exact_match: 0 },
        "flexible-extract": { extracted: "18", exact_match: 1 },
      },
      {
        target: "#### 5",
        "strict-match": { extracted: null, exact_match: 0 },
        "flexible-extract": { extracted: null, exact_match: 0 },
      },
      {
        doc_id: 0,
        target: "7",
        "strict-match": { extracted: "7.", exact_match: 1 },
        "flexible-extract": { extracted: "7.", exact_match: 1 },
      },
    ]);
    expect(summary).toMatchObject({
      total: 4,
      filters: [
        { filter: "strict-match", scores: Uint8Array.of(1, 0, 0, 1) },
        { filter: "flexible-extract", scores: Uint8Array.of(1, 1, 0, 1) },
      ],
      provenance: { source: "given", published: false },
    });
  });

  it("loads no data for rows that bring their target", async () => {
    await rm(join(folder, "test.jsonl"));
    const { summary } = await score([{ target: "1", completion: "1" }]);
    expect(summary.provenance).toBeUndefined();
  });

  it("keeps lone surrogates and NULs as JSON has them", async () => {
    const { output } = await score([String.raw`{"target": "\ud800\u0000", "completion": "\udfff\u0000 5"}`]);
    expect(output).toEqual([
      {
        target: "\ud800\0",
        "strict-match": { extracted: null, exact_match: 0 },
        "flexible-extract": { extracted: "5", exact_match: 0 },
      },
    ]);
  });

  it("knows gsm_synth's docs without end", async () => {
    const { summary } = await score([{ doc_id: 123_456, completion: "" }], "gsm_synth");
    expect(summary.provenance).toMatchObject({ source: "generated" });
  });

  const fine = { target: "1", completion: "1" };
  it.each([
    [[fine, "{"], /completions\.jsonl, line 2: not JSON/],
    [[fine, fine, []], /line 3: not a JSON object; expected/],
    [[{ doc_id: 0 }], /line 1: no "completion"/],
    [[{ doc_id: 0, completion: null }], /line 1: "completion" is not text/],
    [[{ completion: "x" }], /line 1: neither "doc_id" nor "target"/],
    [[{ completion: "x", target: 5 }], /line 1: "target" is not text/],
    [[{ completion: "x", doc_id: "0" }], /line 1: "doc_id" is not a whole number/],
    [[{ completion: "x", doc_id: -1 }], /line 1: "doc_id" is not a whole number/],
    [[{ completion: "x", doc_id: 0.5 }], /line 1: "doc_id" is not a whole number/],
    [[fine, { completion: "x", doc_id: 2 }], /line 2: no doc 2; gsm8k has docs 0 to 1/],
    [
      [
        { completion: "x", doc_id: 1 },
        { completion: "y", doc_id: 1 },
      ],
      /line 2: doc_id 1 was there before/,
    ],
    [
      [
        { completion: "x", doc_id: 2 ** 40, target: "" },
        { completion: "y", doc_id: 2 ** 40 },
      ],
      /line 2: doc_id \d+ was/,
    ],
    [['{"__proto__": {"completion": "x", "target": "x"}}'], /line 1: no "completion"/],
    [[], /holds no completions/],
  ])("refuses %j, and writes nothing", async (rows, message) => {
    await writeFile(join(folder, "marks.jsonl"), "before");
    await expect(score(rows)).rejects.toThrow(message);
    expect(await readFile(join(folder, "marks.jsonl"), "utf8")).toBe("before");
    expect((await readdir(folder)).toSorted()).toEqual([
      "completions.jsonl",
      "marks.jsonl",
      "test.jsonl",
      "train.jsonl",
    ]);
  });

  it("stops when told to, and leaves nothing behind", async () => {
    const completions = join(folder, "completions.jsonl");
    await writeFile(completions, JSON.stringify(fine));
    const signal = AbortSignal.abort(new Error("enough"));
    const stopped = scoreCompletions(getTask("gsm8k"), { completions, output: join(folder, "marks.jsonl"), signal });
    await expect(stopped).rejects.toThrow("enough");
    expect((await readdir(folder)).toSorted()).toEqual(["completions.jsonl", "test.jsonl", "train.jsonl"]);
  });

  it("says why it cannot read or write", async () => {
    const task = getTask("gsm8k");
    const completions = join(folder, "test.jsonl");
    await expect(scoreCompletions(task, { completions: join(folder, "none") })).rejects.toThrow(/cannot read .*none/);
    await mkdir(join(folder, "taken"));
    const output = (name: string): Promise<ScoreSummary> =>
      scoreCompletions(task, { completions, output: resolve(folder, name) });
    await expect(output("taken")).rejects.toThrow(/cannot write .*taken: it is a folder/);
    await expect(output("/dev/null")).rejects.toThrow("cannot write /dev/null: it is no regular file");
    await expect(output("test.jsonl")).rejects.toThrow(/--output .*test\.jsonl is the file of completions itself/);
    await expect(output("none/marks.jsonl")).rejects.toThrow(/cannot write .*marks\.jsonl: there is no such file/);
  });
});

describe.skipIf(!HAS_SHARED)("scoreCompletions on real completions (needs ../shared)", () => {
  it.each([
    ["6b_finetuning", 286],
    ["6b_verification", 515],
  ])("%s: %i of 1319 by both filters", async (model, right) => {
    const solved = sharedRows<Readonly<Record<string, { solution: string }>>>("gsm8k/model_solutions_6b.jsonl");
    const rows = solved.map((row, id) => ({
      doc_id: id,
      completion: row[model]!.solution.replace(/A: (.*)$/, "#### $1"),
    }));
    const completions = join(folder, "real.jsonl");
    await writeFile(completions, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
    const source = { dir: sharedPath("gsm8k") };
    const { total, filters } = await scoreCompletions(getTask("gsm8k"), { completions, source });
    const sums = filters.map(({ filter, scores }) => [filter, scores.reduce((sum, mark) => sum + mark, 0)]);
    expect([total, ...sums]).toEqual([1319, ["strict-match", right], ["flexible-extract", right]]);
  });
});
