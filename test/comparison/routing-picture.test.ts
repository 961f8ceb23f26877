/** Whole runs of the embedded engine: sound, with a fault put into what the fused variant shows, and without captures. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluate } from "../../comparison/evaluate.ts";
import { loadTokenizer } from "../../engine/tokenizer.ts";
import type { Comparison, JudgedParity } from "../../reports/comparison.ts";
import { EmbeddedVariants } from "../../runners/embedded-variants.ts";
import type { CapturedRouting, Runner } from "../../runners/runner.ts";
import type { OpenedVariant, VariantName } from "../../runners/variant-engines.ts";
import { getTask } from "../../tasks/index.ts";
import { fileOf, rowsOf } from "../e2e/program.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";

const parent = mkdtempSync(join(tmpdir(), "fusecheck-picture-"));
const DOCS = 3;

/** What the fused variant shows of a doc that was scored as the `nth`. */
type Fault = (routing: CapturedRouting, nth: number) => void;

/** The embedded engine, whose fused variant shows other routing than was done, or none at all. */
class FaultyVariants extends EmbeddedVariants {
  readonly #fault: Fault | "no captures" | undefined;

  constructor(fault: Fault | "no captures" | undefined) {
    super({ concurrency: 4, chat: false });
    this.#fault = fault;
  }

  override async open(variant: VariantName): Promise<OpenedVariant> {
    const { runner } = await super.open(variant);
    const fault = this.#fault;
    let scored = 0;
    const score = runner.score?.bind(runner);
    if (fault === "no captures" || score === undefined) {
      return { runner: { complete: runner.complete.bind(runner), close: runner.close.bind(runner) }, facts: {} };
    }
    const faulty: Runner["score"] = async (...asked) => {
      const nth = scored++;
      const sequence = await score(...asked);
      if (variant === "fused" && sequence.routing !== undefined) fault?.(sequence.routing, nth);
      return sequence;
    };
    return { runner: { ...runner, score: faulty }, facts: {} };
  }
}

async function runWith(name: string, fault?: Fault | "no captures"): Promise<Comparison> {
  const task = getTask("gsm_synth");
  const { comparison } = await evaluate({
    task,
    data: await task.load({}),
    settings: { fused: true, limit: DOCS, numFewshot: 1, maxTokens: 12 },
    engines: () => new FaultyVariants(fault),
    output: join(parent, name),
    asked: {},
    command: "fusecheck eval",
    signal: new AbortController().signal,
    progress: { start: () => () => {}, end: () => {}, note: () => {} },
  });
  return comparison;
}

const read = (name: string, file: string): string => readFileSync(join(parent, name, file), "utf8");
const pictureOf = ({ parity }: Comparison): NonNullable<JudgedParity["picture"]> => (parity as JudgedParity).picture!;

beforeAll(() => () => rmSync(parent, { recursive: true, force: true }));

/** In the third MoE layer (model layer 3), the doc's 21st token goes to another expert in place of its first. */
const otherExpert: Fault = ({ topkIds, nTokens, nExpertsAct: k }, nth) => {
  if (nth !== 1) return;
  const at = (2 * nTokens + 20) * k;
  const row = new Set(topkIds.subarray(at, at + k));
  topkIds[at] = [...Array.from({ length: 16 }).keys()].find((id) => !row.has(id))!;
};

/** What failed, of all levels. */
function failing({ levels }: Comparison): string[] {
  return levels.flatMap(({ what, outcome }) => (outcome === "fail" ? [what] : []));
}

describe("a sound run", () => {
  let comparison: Comparison;
  beforeAll(async () => {
    comparison = await runWith("sound");
  });

  it("passes on every level, and says with which numbers", () => {
    expect(failing(comparison)).toEqual([]);
    expect(read("sound", "report.md")).toMatch(/^\| 2 selection \| experts, as sets \| \*\*pass\*\* \|/m);
    expect(read("sound", "report.md")).toContain("](routing.md)");
  });

  it("counts every entry of both captures", () => {
    const { load, margins } = pictureOf(comparison);
    const { layers, tokens } = (comparison.parity as JudgedParity).routing;
    for (const side of ["baseline", "fused"] as const)
      for (const row of load!.counts![side]) expect(row.reduce((sum, n) => sum + n, 0)).toBe(tokens * 4);
    expect(load!.counts!.baseline).toHaveLength(layers.length);
    const choices = [...margins!.bins, margins!.zero, margins!.other].reduce((sum, bin) => sum + bin.choices, 0);
    expect(choices).toBe(tokens * layers.length);
  });

  it("draws its charts beside the reports, the same bytes when it is resumed", async () => {
    const files = ["routing.md", "charts/router-margins.svg", "charts/expert-load.svg"];
    const before = files.map((file) => read("sound", file));
    for (const file of files.slice(1)) {
      expect(before[0]).toContain(`](${file})`);
      rmSync(join(parent, "sound", file));
    }
    await runWith("sound");
    expect(files.map((file) => read("sound", file))).toEqual(before);
  });

  it("has everything in comparison.json, in few bytes", () => {
    const text = read("sound", "comparison.json");
    expect(JSON.parse(text)).toEqual(comparison);
    expect(text.length).toBeLessThan(40_000);
  });
});

describe("a fault in one choice", () => {
  let comparison: Comparison;
  beforeAll(async () => {
    comparison = await runWith("fault", otherExpert);
  });

  it("fails on the level that it is on, and on no other", () => {
    expect(comparison.verdict.held).toBe(false);
    expect(failing(comparison)).toEqual(["experts, as sets"]);
    expect(read("fault", "report.md")).toMatch(/other experts in 1 of .*doc 1, position 20, layer 3/);
  });

  it("shows the token with its text, both choices and the cause, before all others", () => {
    const [worst] = pictureOf(comparison).worst;
    expect(worst).toMatchObject({ doc_id: 1, position: 20, layer: 3, cause: "unexplained", swapped: 1 });
    const { id, before, after, text, part } = worst!.token!;
    const tokenizer = loadTokenizer(MODEL_DIR);
    const ids = tokenizer.encode(promptOfDoc1("fault"));
    expect([...before, id, ...after]).toEqual(ids.slice(12, 25));
    expect(text).toEqual({
      before: tokenizer.decode(ids.slice(12, 20)),
      token: tokenizer.nameOf(ids[20]!),
      after: tokenizer.decode(ids.slice(21, 25)),
    });
    expect(part).toEqual({ name: "prompt", index: 20, of: ids.length });
    const row = read("fault", "routing.md")
      .split("\n")
      .find((line) => line.startsWith("| doc 1, position 20, layer 3 |"))!;
    expect(row).toContain(`(id ${id}, prompt 21 of ${ids.length})`);
    expect(row).toContain(`**${worst!.fused.ids[0]}**`);
  });

  it("is marked in the histogram, and in the load", () => {
    const { margins, load } = pictureOf(comparison);
    expect(margins!.bins.reduce((sum, bin) => sum + bin.unexplained, 0)).toBe(1);
    expect(Math.abs(load!.layers[2]!.change!.tokens)).toBe(1);
    expect(read("fault", "charts/router-margins.svg")).toContain("unexplained 1");
  });
});

it("a weight that is no number is among the worst tokens, and the report can still be written", async () => {
  const comparison = await runWith("nan", ({ topkWeights }, nth) => {
    if (nth === 2) topkWeights![4] = Number.NaN;
  });
  expect(pictureOf(comparison).worst[0]).toMatchObject({
    doc_id: 2,
    position: 1,
    layer: 1,
    cause: "weights",
    weightMoved: null,
    fused: { weights: [null, expect.any(Number), expect.any(Number), expect.any(Number)] },
  });
  expect(failing(comparison)).toContain("weights, by id");
  expect(JSON.parse(read("nan", "comparison.json"))).toEqual(comparison);
});

it("without captures there are no charts, and the report says why; those of an earlier session are gone", async () => {
  const comparison = await runWith("none", "no captures");
  const judged = comparison.levels.filter(({ outcome }) => outcome !== "not judged");
  expect([...new Set(judged.map(({ level }) => level))]).toEqual([4]);
  const report = read("none", "report.md");
  expect(report).toContain(
    "| 2 selection | experts, as sets | not judged | this engine cannot be given a completion |",
  );
  expect(report).not.toContain("routing.md");
  for (const file of ["routing.md", "charts"]) expect(existsSync(join(parent, "none", file))).toBe(false);
  mkdirSync(join(parent, "none", "charts"));
  const left = ["routing.md", "charts/expert-load.svg", "charts/own.svg"];
  for (const file of left) writeFileSync(join(parent, "none", file), "old");
  await runWith("none", "no captures");
  expect(left.filter((file) => existsSync(join(parent, "none", file)))).toEqual(["charts/own.svg"]);
});

interface Sample {
  readonly doc_id: number;
  readonly arguments: { readonly gen_args_0: { readonly arg_0: string } };
}

function promptOfDoc1(name: string): string {
  const samples = rowsOf<Sample>(fileOf(join(parent, name), "baseline", "samples_"));
  return samples.find(({ doc_id: id }) => id === 1)!.arguments.gen_args_0.arg_0;
}
