import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { exactMatch } from "../../metrics/exact-match.ts";
import {
  buildResults,
  fileTimestamp,
  lmEvalFileNames,
  resultsText,
  sanitizeModelName,
  type LmEvalResultsInput,
} from "../../reports/lm-eval-results.ts";
import { sampleRow, writeSamples, type SampleSource } from "../../reports/lm-eval-samples.ts";
import { PythonFloat, type PythonValue } from "../../reports/python-repr.ts";

const golden = new URL("../../../shared/golden/lm_eval_run/", import.meta.url);

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fusecheck-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface GoldenRow {
  readonly doc_id: number;
  readonly doc: Record<string, string>;
  readonly target: string;
  readonly arguments: { readonly gen_args_0: { readonly arg_0: string | [string] } };
  readonly resps: readonly [readonly [string]];
  readonly filtered_resps: readonly [string];
  readonly filter: string;
  readonly doc_hash: string;
  readonly prompt_hash: string;
  readonly target_hash: string;
  readonly exact_match: 0 | 1;
}

const generation = {
  until: ["Question:", "</s>", "<|im_end|>"],
  do_sample: false,
  temperature: new PythonFloat(0),
};

/** What fusecheck knows of the docs of a golden samples file: their rows of both filters put together. */
function sources(rows: readonly GoldenRow[]): SampleSource[] {
  const docs = new Map<number, SampleSource>();
  for (const row of rows) {
    const extracted = row.filtered_resps[0] === "[invalid]" ? null : row.filtered_resps[0];
    docs.set(row.doc_id, {
      doc_id: row.doc_id,
      doc: row.doc,
      target: row.target,
      prompt: row.arguments.gen_args_0.arg_0,
      generation,
      completion: row.resps[0][0],
      answers: { ...docs.get(row.doc_id)?.answers, [row.filter]: { extracted, exact_match: row.exact_match } },
      doc_hash: row.doc_hash,
      prompt_hash: row.prompt_hash,
      target_hash: row.target_hash,
    });
  }
  return [...docs.values()];
}

const FILTERS = ["strict-match", "flexible-extract"];

function resultsInput(overrides: Partial<LmEvalResultsInput> = {}): LmEvalResultsInput {
  const scores = exactMatch(Array.from({ length: 100 }, (_, index) => (index < 58 ? 1 : 0)));
  return {
    task: "gsm8k",
    version: 3,
    scores: FILTERS.map((filter) => ({ filter, summary: scores })),
    taskConfig: { task: "gsm8k", metadata: { version: new PythonFloat(3) } },
    numFewshot: 5,
    originalDocs: 1319,
    effectiveDocs: 100,
    limit: 100,
    fewshotSeed: 1234,
    model: { source: "embedded", name: "models/abacus-8m", args: { model: "models/abacus-8m" } },
    generation: {},
    concurrency: 32,
    device: "cpu",
    chat: false,
    gitCommit: null,
    environment: "node v20.20.2",
    started: new Date("2026-11-24T15:40:02.113Z"),
    seconds: 31.5,
    taskHash: null,
    fusecheck: "0.1.0",
    extra: { variant: "fused" },
    ...overrides,
  };
}

describe.skipIf(!existsSync(golden))("files equal those of a real lm-eval run (needs ../shared/golden)", () => {
  const results = existsSync(golden)
    ? (JSON.parse(readFileSync(new URL("results.json", golden), "utf8")) as Golden)
    : undefined;

  test.each(["samples_gsm8k.jsonl", "chat_samples_gsm8k.jsonl"])("%s, byte for byte", async (name) => {
    const text = readFileSync(new URL(name, golden), "utf8");
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as GoldenRow);
    const path = join(folder, "samples.jsonl");
    const written = await writeSamples(path, [...new Set(rows.map((row) => row.filter))], sources(rows));
    expect(readFileSync(path, "utf8")).toBe(text);
    expect(written.rows).toBe(rows.length);
    const hashes = rows.map((row) => row.doc_hash + row.prompt_hash + row.target_hash).join("");
    expect(written.taskHash).toBe(createHash("sha256").update(hashes).digest("hex"));
  });

  test("the task hash of the run", async () => {
    const text = readFileSync(new URL("samples_gsm8k.jsonl", golden), "utf8");
    const rows = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as GoldenRow);
    const { taskHash } = await writeSamples(join(folder, "samples.jsonl"), FILTERS, sources(rows));
    expect(taskHash).toBe(results!.task_hashes.gsm8k);
  });

  test("results: the same keys in the same order, with fusecheck's own at the end", () => {
    const ours = JSON.parse(resultsText(buildResults(resultsInput({ taskHash: "x" })))) as Golden;
    expect(Object.keys(ours)).toEqual([...Object.keys(results!), "fusecheck"]);
    for (const key of [
      "results",
      "versions",
      "n-shot",
      "higher_is_better",
      "n-samples",
      "config",
      "task_hashes",
    ] as const) {
      expect([key, keysOf(ours[key])]).toEqual([key, keysOf(results![key])]);
    }
  });

  // Not compared: what names another engine, machine, time or task configuration.
  test.each([
    "group_subtasks",
    "versions",
    "n-shot",
    "higher_is_better",
    "n-samples",
    "upper_git_hash",
    "transformers_version",
  ] as const)("results: %s equals lm-eval's, to the character", (key) => {
    const of = (text: string): string =>
      new RegExp(`^  "${key}": (?:\\{\\}|\\{[^]*?^  \\}|.*?),?$`, "m").exec(text)![0];
    const theirs = readFileSync(new URL("results.json", golden), "utf8");
    expect(of(resultsText(buildResults(resultsInput())))).toBe(of(theirs));
  });

  test("results: types of every value are lm-eval's", () => {
    const ours = JSON.parse(resultsText(buildResults(resultsInput()))) as Golden;
    for (const key of Object.keys(results!)) {
      // git_hash is null outside a repository, as in the golden run.
      expect([key, typeof ours[key]]).toEqual([key, typeof results![key]]);
    }
  });
});

interface Golden {
  readonly task_hashes: { readonly gsm8k: string };
  readonly [key: string]: unknown;
}

/** Names of an object's members, and of their members, in order. */
function keysOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return Object.entries(value).map(([key, inner]) => [key, key === "model_args" ? null : keysOf(inner)]);
}

const python = ["python3", "python"].find((name) => {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

const hostile: SampleSource = {
  doc_id: 0,
  doc: { question: 'q\u2028\u00a0"\\', answer: "#### 1" },
  target: "#### 1",
  prompt: "p\u0000\u007f",
  generation: { temperature: new PythonFloat(0) },
  completion: "lone \ud800 surrogate, ünïcödé 🎲",
  answers: { "strict-match": { extracted: null, exact_match: 0 } },
  doc_hash: "a",
  prompt_hash: "b",
  target_hash: "c",
};

describe("lm-eval files", () => {
  test.skipIf(python === undefined)(
    "Python reads them: floats are floats, hostile text is kept (needs Python)",
    async () => {
      await writeSamples(join(folder, "samples.jsonl"), ["strict-match"], [hostile]);
      const script = `
import json, sys
row, = [json.loads(line) for line in open(sys.argv[1] + "/samples.jsonl", encoding="utf-8", newline="\\n")]
results = json.loads(sys.stdin.read())
print(json.dumps([row["resps"][0][0], row["doc"]["question"], row["filtered_resps"], repr(row["exact_match"]),
  repr(results["versions"]["gsm8k"]), repr(results["config"]["limit"]), repr(results["results"]["gsm8k"]["exact_match,strict-match"])]))`;
      const input = resultsText(
        buildResults(resultsInput({ scores: [{ filter: "strict-match", summary: exactMatch([1, 1]) }] })),
      );
      const output = execFileSync(python!, ["-c", script, folder], { input, encoding: "utf8" });
      expect(JSON.parse(output)).toEqual([
        hostile.completion,
        hostile.doc["question"],
        ["[invalid]"],
        "0.0",
        "3.0",
        "100.0",
        "1.0",
      ]);
    },
  );

  test("one doc has no standard error, no doc has no score, and neither is NaN", () => {
    const one = buildResults(resultsInput({ scores: [{ filter: "f", summary: exactMatch([1]) }] }));
    expect(one["results"]).toMatchObject({ gsm8k: { "exact_match_stderr,f": "N/A" } });
    const none = buildResults(resultsInput({ effectiveDocs: 0, scores: [{ filter: "f", summary: exactMatch([]) }] }));
    expect(none["results"]).toEqual({ gsm8k: { name: "gsm8k", alias: "gsm8k", sample_len: 0 } });
    expect(resultsText(none)).not.toContain("NaN");
  });

  test("lm_eval_version parses as a version and says who wrote the file", () => {
    expect(buildResults(resultsInput())["lm_eval_version"]).toMatch(/^\d+\.\d+\.\d+\.dev\d+\+fusecheck\.0\.1\.0$/);
  });

  test("a doc that a filter did not mark is an error, and leaves no file", async () => {
    expect(() => sampleRow(hostile, "flexible-extract")).toThrow("doc 0 was not marked by filter flexible-extract");
    await expect(writeSamples(join(folder, "s.jsonl"), ["strict-match", "other"], [hostile])).rejects.toThrow("other");
    expect(readdirSync(folder)).toEqual([]);
  });

  test("NaN never reaches a file", () => {
    const extra = { value: Number.NaN } satisfies Record<string, PythonValue>;
    expect(() => resultsText(buildResults(resultsInput({ extra })))).toThrow("JSON cannot hold NaN");
  });

  test("file names", () => {
    const date = new Date(2026, 10, 24, 7, 26, 43, 968);
    expect(fileTimestamp(date)).toBe("2026-11-24T07-26-43.968000");
    expect(lmEvalFileNames("gsm8k", date)).toEqual({
      results: "results_2026-11-24T07-26-43.968000.json",
      samples: "samples_gsm8k_2026-11-24T07-26-43.968000.jsonl",
    });
    expect(sanitizeModelName('org/model:"v1"?')).toBe("org__model__v1__");
  });
});
