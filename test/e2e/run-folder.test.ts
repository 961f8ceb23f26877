import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../../engine/safetensors.ts";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { fileOf, filesOf, jsonOf, linesOf, rowsOf, run, temporaryFolder } from "./program.ts";
import type { ProgramRun } from "./program.ts";

const DOCS = 5;
const ASKED = ["--task", "gsm_synth", "--fused", "--limit", String(DOCS), "--num-fewshot", "1", "--max-tokens", "24"];
const VARIANTS = ["baseline", "fused"];
const FILTERS = ["strict-match", "flexible-extract"];

const folder = join(temporaryFolder(), "run");
let first: ProgramRun;

beforeAll(async () => {
  first = await run(["eval", ...ASKED, "--output", folder]);
});

interface Completed {
  readonly doc_id: number;
  readonly outcome: {
    readonly text: string;
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly token_ids: readonly number[];
  };
}

function journalOf(variant: string): Completed[] {
  return rowsOf<Completed>(join(folder, variant, "completions.jsonl")).toSorted((a, b) => a.doc_id - b.doc_id);
}

describe("eval --fused", () => {
  it("holds: the same model cannot differ from itself", () => {
    expect([first.code, first.signal]).toEqual([0, null]);
    expect(first.stdout).toMatch(/\nEquivalent\.\n/);
  });

  it("leaves the files of the design, and no others", () => {
    const time = String.raw`\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+`;
    const inVariant = [
      "completions\\.jsonl",
      `results_${time}\\.json`,
      "routing\\.safetensors",
      `samples_gsm_synth_${time}\\.jsonl`,
      "scored\\.jsonl",
    ];
    const expected = [
      ...inVariant.map((name) => `baseline/${name}`),
      "charts/expert-load\\.svg",
      "charts/router-margins\\.svg",
      "comparison\\.json",
      ...inVariant.map((name) => `fused/${name}`),
      "outputs\\.json",
      "report\\.md",
      "routing\\.md",
      "run\\.json",
    ];
    const found = filesOf(folder);
    expect(found).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(found[index]).toMatch(new RegExp(`^${pattern}$`));
  });

  it("records what was asked, what that resolved to, and that it is complete", () => {
    const record = jsonOf(join(folder, "run.json")) as RunRecord;
    expect(record.status).toBe("complete");
    expect(record.asked).toMatchObject({ task: "gsm_synth", fused: true, limit: DOCS, "num-fewshot": 1 });
    expect(record.settings).toMatchObject({
      variants: VARIANTS,
      docs: DOCS,
      num_fewshot: 1,
      max_tokens: 24,
      temperature: 0,
    });
    for (const hash of ["weights_sha256", "config_sha256", "tokenizer_sha256"]) {
      expect(record.engine[hash]).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  it.each(VARIANTS)("journals every doc of %s once", (variant) => {
    expect(journalOf(variant).map(({ doc_id: id }) => id)).toEqual([0, 1, 2, 3, 4]);
  });

  it.each(VARIANTS)("writes lm-eval's samples of %s: a row per filter and doc", (variant) => {
    interface Sample {
      readonly doc_id: number;
      readonly filter: string;
      readonly resps: readonly (readonly string[])[];
      readonly exact_match: number;
    }
    const samples = rowsOf<Sample>(fileOf(folder, variant, "samples_"));
    const texts = new Map(journalOf(variant).map(({ doc_id: id, outcome }) => [id, outcome.text]));
    expect(samples).toHaveLength(DOCS * FILTERS.length);
    for (const filter of FILTERS) {
      const rows = samples.filter((sample) => sample.filter === filter);
      expect(rows.map(({ doc_id: id }) => id)).toEqual([0, 1, 2, 3, 4]);
      expect(rows.map(({ resps }) => resps)).toEqual(rows.map(({ doc_id: id }) => [[texts.get(id)]]));
    }
  });

  it.each(VARIANTS)("writes lm-eval's results of %s, whose scores are the samples' means", (variant) => {
    interface Results {
      readonly results: Record<string, Record<string, number | string>>;
      readonly "n-samples": Record<string, { original: number; effective: number }>;
      readonly configs: Record<string, unknown>;
      readonly task_hashes: Record<string, string>;
    }
    const results = jsonOf(fileOf(folder, variant, "results_")) as Results;
    const samples = rowsOf<{ filter: string; exact_match: number }>(fileOf(folder, variant, "samples_"));
    for (const filter of FILTERS) {
      const marks = samples.filter((sample) => sample.filter === filter).map(({ exact_match: mark }) => mark);
      const mean = marks.reduce((sum, mark) => sum + mark, 0) / marks.length;
      expect(results.results["gsm_synth"]?.[`exact_match,${filter}`]).toBeCloseTo(mean, 12);
    }
    expect(results["n-samples"]["gsm_synth"]?.effective).toBe(DOCS);
    expect(results.configs).toHaveProperty("gsm_synth");
    expect(results.task_hashes["gsm_synth"]).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(VARIANTS)("writes the capture of %s, which says what it is and adds up", (variant) => {
    const file = openSafetensors(join(folder, variant, "routing.safetensors"));
    try {
      const stated = ["engine", "model", "variant"].map((name) => file.metadata.get(name));
      expect(stated).toEqual(["embedded", "abacus-8m", variant]);
      const [e, k] = ["n_expts_tot", "n_expts_act"].map((name) => Number(file.metadata.get(name)));
      const layers = (file.metadata.get("moe_layers") ?? "").split(",").map(Number);
      expect(layers.length).toBeGreaterThan(1);
      const tokens = journalOf("baseline").map(({ outcome }) => outcome.prompt_tokens + outcome.completion_tokens - 1);
      const total = tokens.reduce((sum, n) => sum + n, 0);
      const docs = ["doc_index", "prompt_tokens", "last_token"].map((name) => `docs.${name}`);
      const perLayer = ["topk_ids", "topk_weights", "router_margin", "close_rows", "close_scores"];
      const tensors = layers.flatMap((layer) => perLayer.map((name) => `layers.${layer}.${name}`));
      expect([...file.tensors.keys()].toSorted()).toEqual(
        [...tensors, "doc_index", "input_ids", "position", ...docs].toSorted(),
      );
      const vector = (name: string): number[] => Array.from(file.read(name) as Int32Array);
      expect(vector("doc_index")).toEqual(tokens.flatMap((n, doc) => Array.from({ length: n }, () => doc)));
      expect(vector("position")).toEqual(tokens.flatMap((n) => Array.from({ length: n }, (_, position) => position)));
      // The end of each doc's tokens is the baseline's completion, short of its last token, which was scored and not run.
      const ids = vector("input_ids");
      let end = 0;
      for (const [doc, { outcome }] of journalOf("baseline").entries()) {
        end += tokens[doc] ?? 0;
        const ran = outcome.token_ids.slice(0, -1);
        expect(ids.slice(end - ran.length, end)).toEqual(ran);
      }
      for (const layer of layers) {
        expect(file.info(`layers.${layer}.topk_ids`)).toMatchObject({ dtype: "U8", shape: [total, k] });
        expect(file.info(`layers.${layer}.topk_weights`)).toMatchObject({ dtype: "F32", shape: [total, k] });
        expect(Math.max(...vector(`layers.${layer}.topk_ids`))).toBeLessThan(e ?? 0);
        expect(vector(`layers.${layer}.topk_weights`).every((weight) => Number.isFinite(weight) && weight > 0)).toBe(
          true,
        );
      }
    } finally {
      file.close();
    }
  });

  it("writes the comparison, with its denominators", () => {
    const comparison = jsonOf(join(folder, "comparison.json")) as Comparison;
    expect(comparison.variants.map(({ name, counts }) => [name, counts.total, counts.failed, counts.skipped])).toEqual(
      VARIANTS.map((name) => [name, DOCS, 0, 0]),
    );
    expect(comparison.paired.map(({ filter, n }) => [filter, n])).toEqual(FILTERS.map((filter) => [filter, DOCS]));
    expect(comparison.parity).toMatchObject({ kind: "judged", routing: { docs: DOCS }, invariants: { broken: 0 } });
    expect(comparison.verdict).toMatchObject({ outcome: "equivalent", held: true, complete: true });
  });

  it("writes a report that shows both tables and says how to run it again", () => {
    const report = readFileSync(join(folder, "report.md"), "utf8");
    expect(report.match(/^\|gsm_synth\|/gm)).toHaveLength(2);
    expect(report).toContain(`fusecheck eval ${ASKED.join(" ")} --output ${folder}`);
  });
});

describe("the same command on the finished folder", () => {
  it("asks the engine nothing, and says and leaves the same", async () => {
    const bytes = (): Map<string, string> =>
      new Map(filesOf(folder).map((name) => [name, readFileSync(join(folder, name)).toString("base64")]));
    const before = bytes();
    const again = await run(["eval", ...ASKED, "--output", folder]);
    expect([again.code, again.stdout]).toEqual([0, first.stdout]);
    expect(bytes()).toEqual(before);
    expect(existsSync(join(folder, "run.lock"))).toBe(false);
  });

  it("prints one JSON document and nothing else with --json", async () => {
    const { code, stdout, stderr } = await run(["eval", ...ASKED, "--output", folder, "--json", "--quiet"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(readFileSync(join(folder, "comparison.json"), "utf8"));
  });

  it("prints only the verdict with --quiet", async () => {
    const { code, stdout, stderr } = await run(["eval", ...ASKED, "--output", folder, "--quiet"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Equivalent\. by routing parity: [^\n]+\n$/);
  });

  it("can be run at another concurrency, which no result depends on", async () => {
    const { code } = await run(["eval", ...ASKED, "--output", folder, "--concurrency", "1"]);
    expect(code).toBe(0);
    expect(linesOf(join(folder, "baseline/completions.jsonl"))).toHaveLength(DOCS);
  });

  it.each([
    [["--limit", "6"], "docs was 5 there and is 6 now"],
    [["--max-tokens", "25"], "max_tokens was 24 there and is 25 now"],
    [["--seed", "9"], "seed was 1234 there and is 9 now"],
    [["--temperature", "0.5"], "temperature was 0 there and is 0.5 now"],
    [["--no-fused"], "fused was true there and is false now"],
  ])("is refused when %j is asked instead, with the setting that differs", async (flags, difference) => {
    const [flag = ""] = flags;
    const at = ASKED.indexOf(flag.replace("--no-", "--"));
    const others = at < 0 ? ASKED : ASKED.toSpliced(at, flags.length);
    const { code, stdout, stderr } = await run(["eval", ...others, ...flags, "--output", folder]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toBe(
      `fusecheck: ${folder} holds another run: ${difference}: choose another --output, or use the same settings to resume\n`,
    );
  });
});

describe("eval --fused --noise-floor", () => {
  it("asks the baseline once more and holds fused to what its two runs differ by; fused is a must", async () => {
    const repeated = join(temporaryFolder(), "run");
    const { code, stdout } = await run(["eval", ...ASKED, "--noise-floor", "--output", repeated]);
    expect(code).toBe(0);
    const { noiseFloor, variants, paired } = jsonOf(join(repeated, "comparison.json")) as Comparison;
    expect(variants.map(({ name }) => name)).toEqual(["baseline", "fused", "baseline-repeat"]);
    expect(noiseFloor?.parity).toMatchObject({ kind: "judged", routing: { docs: DOCS, tokensAffected: 0 } });
    expect(noiseFloor?.logprobs).toMatchObject({ kind: "judged", max: 0 });
    expect(noiseFloor?.paired.map(({ n }) => n)).toEqual(paired.map(({ n }) => n));
    expect(stdout).toMatch(
      /experts, as sets .*; two runs of the baseline: .*0 unexplained.*conditional test of two rates/,
    );
    const alone = await run(["eval", "--task", "gsm_synth", "--noise-floor", "--limit", "1"]);
    expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("--noise-floor")]);
  });
});
