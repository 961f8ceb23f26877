/** `eval` of servers that run already: two of the built `fusecheck serve`, with fused routing off and on. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { editJson, modelCopy } from "./model-copy.ts";
import { jsonOf, linesOf, run, temporaryFolder } from "./program.ts";
import type { ProgramRun, StartOptions } from "./program.ts";
import { proxy, serve, zeroed } from "./serving.ts";
import type { AnswerBody } from "./serving.ts";

const DOCS = 3;
const ASKED = ["--task", "gsm_synth", "--limit", `${DOCS}`, "--num-fewshot", "1", "--max-tokens", "16"];
const KEY = "sk-e2e-0123456789abcdef";

const parent = temporaryFolder();
const urls = { vllm: ["", ""], sglang: ["", ""], plain: "", named: "", shorter: "", keyed: "" };

beforeAll(async () => {
  const small = modelCopy(parent, "shorter");
  editJson(small, "config.json", (config) => (config["max_position_embeddings"] = 1024));
  const routed = (form: string): string[] => ["--enable-return-routed-experts", form];
  const [a, b, c, d, plain, named, shorter, keyed] = await Promise.all([
    serve(routed("vllm")),
    serve(["--fused", ...routed("vllm")]),
    serve(routed("sglang")),
    serve(["--fused", ...routed("sglang")]),
    serve(["--fused"]),
    serve(["--served-model-name", "another-8m"]),
    serve(["--model", small, "--served-model-name", "abacus-8m"]),
    serve([], { FUSECHECK_API_KEY: KEY }),
  ]);
  Object.assign(urls, { vllm: [a, b], sglang: [c, d], plain, named, shorter, keyed });
});

let runs = 0;

interface Evaluated extends ProgramRun {
  readonly folder: string;
  readonly comparison: () => Comparison;
  readonly report: () => string;
}

/** Both reports: routing has its own where it was judged. */
function reportsOf(folder: string): string {
  const files = ["report.md", "routing.md"].map((name) => join(folder, name)).filter((path) => existsSync(path));
  return files.map((path) => readFileSync(path, "utf8")).join("\n");
}

async function evaluate(args: readonly string[], options: StartOptions = {}): Promise<Evaluated> {
  const folder = join(parent, `run-${runs++}`);
  const ended = await run(["eval", ...ASKED, ...args, "--output", folder], options);
  const comparison = (): Comparison => jsonOf(join(folder, "comparison.json")) as Comparison;
  return { ...ended, folder, comparison, report: () => reportsOf(folder) };
}

function two([baseline = "", fused = ""]: readonly string[]): string[] {
  return ["--fused", "--base-url", baseline, "--fused-base-url", fused];
}

describe("two base URLs", () => {
  it("are asked and compared, and the report says by what: answers and log-probabilities", async () => {
    const { code, stdout, report, comparison, folder } = await evaluate(two(urls.vllm));
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    const { variants, paired, parity, logprobs } = comparison();
    expect(variants.map(({ engine }) => engine["base_urls"])).toEqual(urls.vllm.map((url) => [url]));
    expect(paired.map(({ n }) => n)).toEqual([DOCS, DOCS]);
    expect(parity).toEqual({ kind: "not judged", reason: "the engine says nothing of its routing" });
    expect(logprobs).toMatchObject({ kind: "judged", docs: DOCS, way: "given text", notFinite: 0 });
    for (const text of [stdout, report()]) {
      expect(text).toContain("Not judged: the engine says nothing of its routing.");
      expect(text).toContain("Judged by: answers, log-probabilities; not by: routing.");
    }
    for (const variant of ["baseline", "fused"])
      expect(linesOf(join(folder, variant, "completions.jsonl"))).toHaveLength(DOCS);
  });

  it("end with 4 where the docs do not decide and the caller asked to be told", async () => {
    const { code, stdout } = await evaluate([...two(urls.vllm), "--fail-on-inconclusive"]);
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([4, true]);
    expect(stdout).toMatch(/ is inconclusive at a margin of 1 point; [\d,]+ docs without a flip would decide it\n/);
    const wide = await evaluate([...two(urls.vllm), "--fail-on-inconclusive", "--margin", "90"]);
    expect([wide.code, wide.stdout.includes("\nEquivalent.\n")]).toEqual([0, true]);
  });

  it("may be one: the baseline alone", async () => {
    const { code, stdout } = await evaluate(["--base-url", urls.plain, "--stream"]);
    expect([code, stdout.includes("\nComplete.\n")]).toEqual([0, true]);
  });

  it("may be asked in chat, streamed, side by side", async () => {
    const { code, comparison } = await evaluate([...two(urls.vllm), "--chat", "--stream", "--parallel-variants"]);
    expect(code).toBe(0);
    expect(comparison().paired.map(({ n }) => n)).toEqual([DOCS, DOCS]);
  });
});

describe.each(["vllm", "sglang"] as const)("routing as %s gives it", (form) => {
  const capture = ["--engine", form, "--capture", MODEL_DIR];

  it("is captured and judged by ids, and log-probabilities are judged", async () => {
    const { code, stdout, comparison, report } = await evaluate([...two(urls[form]), ...capture]);
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    const { parity, logprobs } = comparison();
    expect(parity).toMatchObject({ kind: "judged", routing: { docs: DOCS, marginsKnown: false } });
    expect(logprobs).toMatchObject({ kind: "judged", docs: DOCS });
    for (const text of [stdout, report()]) {
      expect(text).toContain("Weights, id by id: no weights to compare");
      expect(text).toContain("cannot be seen from outside the engine");
      expect(text).toMatch(/Log-probabilities of the same tokens: largest /);
    }
  });

  it("that is all zeros is a broken capture, never parity, until it is mended", async () => {
    let broken = true;
    const zeros = await proxy(urls[form][1] ?? "", ({ choices, sglext }: AnswerBody) => {
      if (!broken) return;
      for (const choice of choices)
        if (choice.routed_experts !== undefined) choice.routed_experts = zeroed(choice.routed_experts, "vllm");
      if (sglext !== undefined) sglext.routed_experts = zeroed(sglext.routed_experts, "sglang");
    });
    const args = [...two([urls[form][0] ?? "", zeros]), ...capture];
    const { code, stdout, comparison, report, folder } = await evaluate(args);
    expect(code).toBe(3);
    expect(stdout).toContain("\nIncomplete.\n");
    for (const text of [stdout, report()]) {
      expect(text).toMatch(/fused, doc 0: capture broken: /);
      expect(text).not.toMatch(/same experts/);
    }
    expect(comparison()).toMatchObject({ parity: { kind: "not judged", broken: true }, logprobs: { kind: "judged" } });
    const asked = linesOf(join(folder, "fused/completions.jsonl"));
    broken = false;
    const again = await run(["eval", ...ASKED, ...args, "--output", folder]);
    expect([again.code, again.stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(comparison()).toMatchObject({ parity: { kind: "judged", routing: { docs: DOCS } } });
    expect(linesOf(join(folder, "fused/completions.jsonl"))).toEqual(asked);
  });
});

describe("an engine without routing", () => {
  const capture = ["--engine", "vllm", "--capture", MODEL_DIR];

  it("falls back to log-probabilities and answers, in words, where no captures are asked for", async () => {
    const servers = two([urls.vllm[0] ?? "", urls.plain]);
    const { code, stdout, comparison } = await evaluate([...servers, "--engine", "vllm"]);
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(stdout).toContain("Not judged: routing was not captured (--capture asks for it).");
    expect(stdout).toContain("Judged by: answers, log-probabilities; not by: routing.");
    expect(stdout).not.toMatch(/same experts|capture broken/);
    expect(comparison()).toMatchObject({ parity: { kind: "not judged" }, logprobs: { kind: "judged", docs: DOCS } });
  });

  it.each([
    ["fused", () => [urls.vllm[0] ?? "", urls.plain]],
    ["baseline", () => [urls.plain, urls.vllm[1] ?? ""]],
    ["baseline and fused", () => [urls.plain, urls.named]],
  ] as const)("that is asked for captures leaves the run incomplete: none from %s", async (variants, servers) => {
    const args = [...capture, "--allow-differences"];
    const first = await evaluate([...two(servers()), ...args]);
    expect([first.code, first.stdout.includes("\nIncomplete.\n")]).toEqual([3, true]);
    for (const text of [first.stdout, first.report()]) {
      expect(text).toContain(`routing was not judged: ${variants}: the response has no choices`);
      expect(text).toContain("start the server with --enable-return-routed-experts; the same command then captures");
      expect(text).not.toMatch(/same experts|Equivalent/);
    }
    expect(first.comparison().logprobs).toMatchObject({ kind: "judged", docs: DOCS });
    const asked = linesOf(join(first.folder, "fused/completions.jsonl"));
    // The server's user has done as told.
    if (variants === "baseline and fused") return;
    const again = await run(["eval", ...ASKED, ...two(urls.vllm), ...args, "--output", first.folder]);
    expect([again.code, again.stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(first.comparison()).toMatchObject({ parity: { kind: "judged", routing: { docs: DOCS } } });
    expect(linesOf(join(first.folder, "fused/completions.jsonl"))).toEqual(asked);
  });

  it("is captured by the same command with --capture, and nothing is asked twice", async () => {
    const servers = [...two(urls.vllm), "--engine", "vllm"];
    const { code, folder, comparison } = await evaluate(servers);
    expect([code, comparison().parity.kind]).toEqual([0, "not judged"]);
    const asked = linesOf(join(folder, "fused/completions.jsonl"));
    expect(asked.join("\n")).not.toContain("token_ids");
    const captured = await run(["eval", ...ASKED, ...servers, "--capture", MODEL_DIR, "--output", folder]);
    expect([captured.code, captured.stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(comparison()).toMatchObject({
      parity: { kind: "judged", routing: { docs: DOCS } },
      logprobs: { kind: "judged", docs: DOCS, way: "given tokens" },
    });
    expect(linesOf(join(folder, "fused/completions.jsonl"))).toEqual(asked);
    // Without it, what was found is not forgotten.
    const without = await run(["eval", ...ASKED, ...servers, "--output", folder]);
    expect([without.code, comparison().parity.kind]).toEqual([0, "judged"]);
  });

  it.each([
    [["--engine", "llama-cpp"], "--capture: llama.cpp says nothing of its experts over HTTP"],
    [[], "--capture: any server that speaks the OpenAI protocol says nothing of its experts over HTTP"],
  ])("by its kind (%j) is no engine to ask for captures", async (engine, message) => {
    const { code, stderr, folder } = await evaluate([...two(urls.vllm), ...engine, "--capture", MODEL_DIR]);
    expect([code, existsSync(folder)]).toEqual([2, false]);
    expect(stderr).toContain(message);
  });

  it("alone has nothing to compare captures with", async () => {
    const { code, stderr } = await evaluate(["--base-url", urls.plain, ...capture]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--capture is for the comparison of two variants")]);
  });

  it("that gives it for some docs only has lost it: a broken capture", async () => {
    let captures = 0;
    const loses = await proxy(urls.vllm[1] ?? "", ({ choices }: AnswerBody) => {
      for (const choice of choices)
        if (choice.routed_experts !== undefined && ++captures > 8) delete choice.routed_experts;
    });
    const servers = two([urls.vllm[0] ?? "", loses]);
    const { code, stdout } = await evaluate([...servers, "--engine", "vllm", "--capture", MODEL_DIR]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/capture broken: the server gave routed experts for other docs but none for this one/);
  });
});

describe("servers that must not be compared", () => {
  it.each([
    ["names of their models", () => urls.named, "the model differs: abacus-8m in baseline, another-8m in fused"],
    ["longest contexts", () => urls.shorter, "the longest context differs: 2048 in baseline, 1024 in fused"],
  ])("differ in the %s: nothing is written, unless it is meant", async (_, other, difference) => {
    const servers = two([urls.plain, other()]);
    const { code, stdout, stderr, folder } = await evaluate(servers);
    expect([code, stdout, existsSync(folder)]).toEqual([2, "", false]);
    expect(stderr).toBe(
      `fusecheck: these variants must not be compared: ${difference}; ` +
        "make them alike, or say --allow-differences if it is meant\n",
    );
    const meant = await evaluate([...servers, "--allow-differences"]);
    expect([meant.code, meant.comparison().paired.map(({ n }) => n)]).toEqual([0, [DOCS, DOCS]]);
    expect(meant.comparison().differences).toEqual([difference]);
    const sentence = `Compared all the same (--allow-differences): ${difference}`;
    expect(meant.stdout).toContain(`Warning: ${sentence}`);
    expect(meant.report()).toContain(`- ${sentence}`);
  });

  it("are also the servers of one variant, where the run goes on with another one", async () => {
    const folder = join(parent, "two-of-one");
    const on = (url: string, more: readonly string[] = []): Promise<ProgramRun> =>
      run(["eval", ...ASKED, "--base-url", url, "--concurrency", "1", "--output", folder, ...more]);
    let asked = 0;
    const refuses = await proxy(
      urls.plain,
      () => {},
      () => (++asked > 1 ? 400 : undefined),
    );
    expect((await on(refuses)).code).toBe(3);
    const other = await on(urls.shorter);
    expect([other.code, other.stdout]).toEqual([2, ""]);
    expect(other.stderr).toBe(
      "fusecheck: baseline is not the engine that it was when this run began: the longest context differs: 2048 before, " +
        "1024 now; start that one again, choose another --output, or say --allow-differences to have one variant " +
        "answered by both\n",
    );
    const meant = await on(urls.shorter, ["--allow-differences"]);
    expect(meant.code).toBe(0);
    const { variants } = jsonOf(join(folder, "run.json")) as RunRecord;
    expect(variants["baseline"]?.history).toMatchObject([
      { answered: 1, engine: { max_model_len: 2048 } },
      { answered: DOCS - 1, engine: { max_model_len: 1024 } },
    ]);
    expect(variants["baseline"]?.engine).toMatchObject({ max_model_len: 1024 });
    expect(meant.stdout).toContain(
      `baseline was answered by two engines, 1 doc by one and ${DOCS - 1} by another: the longest context differs: 2048 before, 1024 now`,
    );
    // Looked at again, it says so again.
    expect((await on(urls.shorter)).stdout).toContain("baseline was answered by two engines");
  });
});

describe("keys", () => {
  it("are sent, and stand nowhere else", async () => {
    const keyed = ["--base-url", urls.keyed];
    const refused = await evaluate(keyed, { env: { OPENAI_API_KEY: "sk-e2e-wrong-9876543210" } });
    expect([refused.code, refused.stdout, existsSync(refused.folder)]).toEqual([2, "", false]);
    expect(refused.stderr).toContain("refuses the API key, or wants one");
    expect(refused.stderr).not.toContain("sk-e2e-wrong");
    const { code, stdout, stderr } = await evaluate(keyed, { env: { OPENAI_API_KEY: KEY } });
    expect(code).toBe(0);
    expect(stdout + stderr).not.toContain(KEY);
  });
});

describe("what cannot be asked for", () => {
  it.each([
    [["--engine", "vlm", "--base-url", "http://127.0.0.1:1"], /no engine "vlm" \(did you mean "vllm"\?\)/],
    [
      ["--engine", "vllm", "--switch", "grouped-topkk", "--model", "m"],
      /"grouped-topkk" \(did you mean "grouped-topk"\?\)/,
    ],
    [["--base-url", "http://127.0.0.1:1"], /^fusecheck: cannot reach http:\/\/127\.0\.0\.1:1\/v1/],
    [
      ["--engine", "vllm", "--model", "m", `--fused-args=--api-key ${KEY}`],
      /a key would stand here and in the process list/,
    ],
    [["--engine", "vllm", "--model", "m", "--fused-env", `HF_TOKEN=${KEY}`], /keys come from the environment only/],
    [["--base-url", "http://127.0.0.1:1", "--header-env", `Authorization=Bearer ${KEY}`], /--header-env takes/],
    [["--base-url", "http://127.0.0.1:1", "--extra-body", `{"api_key": "${KEY}"}`], /keys come from the environment/],
    [["--base-url", `http://user:${KEY}@127.0.0.1:1`], /base URL/],
  ])("%j is the user's to change", async (args, message) => {
    const both = args.includes("--base-url") && !args.includes("vlm") ? [] : ["--fused"];
    const { code, stdout, stderr, folder } = await evaluate([...both, ...args]);
    expect([code, stdout, existsSync(folder)]).toEqual([2, "", false]);
    expect(stderr).toMatch(/^fusecheck: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain(KEY);
  });
});
