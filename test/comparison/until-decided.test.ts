/** Runs that stop once they are decided, against real servers. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { evaluate } from "../../comparison/evaluate.ts";
import { askUntilDecided, DOCS_PER_LOOK } from "../../comparison/until-decided.ts";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { resolveVariants } from "../../runners/config/index.ts";
import { ServerVariants } from "../../runners/server-variants.ts";
import { getTask } from "../../tasks/index.ts";
import type { PromptedDoc } from "../../tasks/index.ts";
import { jsonOf, linesOf } from "../e2e/program.ts";
import { startTestServer } from "../runners/openai/ask.ts";
import type { ReplayServer } from "../runners/openai/replay-server.ts";
import { completeFrom, findings, solutions } from "./replayed.ts";

const DOCS = 1000;

let complete: (prompt: string) => string;
let known: ReadonlyMap<string, string>;

beforeAll(async () => {
  known = await solutions(DOCS);
  complete = completeFrom(known);
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-until-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "run");
}

interface Asked {
  readonly output?: string;
  readonly limit?: number;
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly parallel?: boolean;
}

async function runOn(
  [baseline, fused]: readonly [ReplayServer, ReplayServer],
  { output = temporaryFolder(), limit = DOCS, concurrency = 32, parallel = false, ...asked }: Asked = {},
): Promise<{ readonly comparison: Comparison; readonly folder: string }> {
  const task = getTask("gsm_synth");
  const config = resolveVariants({
    parallel,
    variants: { baseline: { base_url: baseline.baseUrl }, fused: { base_url: fused.baseUrl } },
  });
  const { baseline: a, fused: b, ...shared } = config;
  const retries = { baseMs: 1, capMs: 20 };
  return evaluate({
    task,
    data: await task.load({}),
    settings: { fused: true, limit, numFewshot: 0, concurrency, parityDocs: 0, untilDecided: true },
    engines: () => new ServerVariants({ shared, baseline: a, fused: b, parallel, ask: { env: {}, retries } }),
    output,
    asked: {},
    command: "fusecheck eval",
    signal: asked.signal ?? new AbortController().signal,
    progress: { start: () => () => {}, end: () => {}, note: () => {} },
  });
}

/** Answers like the baseline, but wrongly to every so many-th of the docs that it has right. */
async function serversWithLoss(every: number): Promise<[ReplayServer, ReplayServer]> {
  const docs = new Map([...known.keys()].map((prompt, docId) => [prompt, docId]));
  const worse = (prompt: string): string =>
    (docs.get(prompt) ?? 1) % every === 0 ? " #### no more than 3" : complete(prompt);
  return [await startTestServer({ complete }), await startTestServer({ complete: worse })];
}

async function equalServers(): Promise<[ReplayServer, ReplayServer]> {
  return [await startTestServer({ complete }), await startTestServer({ complete })];
}

/** Docs that each variant was asked; log-probabilities are asked for apart from that. */
function answered(folder: string): number[] {
  return ["baseline", "fused"].map((variant) => linesOf(join(folder, variant, "completions.jsonl")).length);
}

describe("--until-decided", () => {
  it.each([false, true])("stops at the first look that shows equivalence (side by side: %s)", async (parallel) => {
    const servers = await equalServers();
    const { comparison, folder } = await runOn(servers, { parallel });
    const asked = 576;
    expect(answered(folder)).toEqual([asked, asked]);
    const { variants, paired, verdict } = comparison;
    for (const { counts } of variants) expect(counts).toMatchObject({ total: DOCS, failed: 0, skipped: DOCS - asked });
    expect(paired.map(({ n }) => n)).toEqual([asked, asked]);
    expect(verdict).toMatchObject({ outcome: "equivalent", complete: true, answers: { method: "sequential" } });
    expect(verdict.reasons[0]).toMatch(
      /0\.00 points \(95 % interval at every look -0\.\d\d to \+0\.\d\d\) lies within/,
    );
    expect((jsonOf(join(folder, "run.json")) as RunRecord).status).toBe("complete");
  });

  it("stops at the first look where the loss is large", async () => {
    const servers = await serversWithLoss(4);
    const { comparison, folder } = await runOn(servers);
    expect(answered(folder)).toEqual([DOCS_PER_LOOK, DOCS_PER_LOOK]);
    expect(comparison.verdict).toMatchObject({ outcome: "regressed", held: false, complete: true });
    expect(comparison.verdict.reasons[0]).toMatch(/fused is \d\d\.\d\d points lower \(95 % interval at every look -/);
  });

  it("asks all where it is never decided, and is inconclusive then, not by a test that was peeked at", async () => {
    const servers = await equalServers();
    const { comparison, folder } = await runOn(servers, { limit: 400 });
    expect(answered(folder)).toEqual([400, 400]);
    // A test of a fixed number of docs would call 400 docs without a flip equivalent.
    expect(comparison.verdict).toMatchObject({ outcome: "inconclusive", complete: true });
  });

  it("ends at the same doc after an interruption, at another concurrency, and asks nothing twice", async () => {
    const clean = await runOn(await equalServers());
    const output = temporaryFolder();
    const stop = new AbortController();
    const baseline = await startTestServer({
      complete,
      intercept: () => {
        if (baseline.requests.length === 200) stop.abort(new Error("stop"));
        return false;
      },
    });
    const servers: [ReplayServer, ReplayServer] = [baseline, await startTestServer({ complete })];
    await expect(runOn(servers, { output, signal: stop.signal })).rejects.toThrow("interrupted");
    expect(existsSync(join(output, "comparison.json"))).toBe(false);
    const { comparison } = await runOn(servers, { output, concurrency: 5 });
    expect(findings(comparison)).toEqual(findings(clean.comparison));
    expect(answered(output)).toEqual(answered(clean.folder));
    const before = servers.map(({ requests }) => requests.length);
    await runOn(servers, { output });
    expect(servers.map(({ requests }) => requests.length)).toEqual(before);
    expect(readFileSync(join(output, "report.md"), "utf8")).toContain("**Equivalent.**");
  });

  it("asks docs of a file in random order, the same each time", async () => {
    const order = async (): Promise<number[]> => {
      const asked: number[] = [];
      const doc = {
        doc: {},
        prompt: { kind: "completion", text: "" },
        target: "",
        docHash: "",
        promptHash: "",
        targetHash: "",
      };
      const prompts = Array.from({ length: 200 }, (_, docId) => ({ ...doc, docId }) as PromptedDoc);
      const ask = (docs: readonly PromptedDoc[]): Promise<void> => {
        asked.push(...docs.map(({ docId }) => docId));
        return Promise.resolve();
      };
      const task = getTask("gsm8k");
      await askUntilDecided({ task, prompts, shuffle: true, seed: 7, margin: 0.01, journals: new Map(), ask });
      return asked;
    };
    const [one, other] = [await order(), await order()];
    expect(one).toEqual(other);
    const rising = Array.from({ length: 200 }, (_, docId) => docId);
    expect(one).not.toEqual(rising);
    expect(one.toSorted((x, y) => x - y)).toEqual(rising);
  });

  it("is refused where the servers run one after the other", async () => {
    const task = getTask("gsm_synth");
    const variants = { baseline: { command: "old --port {port}" }, fused: { command: "new --port {port}" } };
    const { baseline, fused, ...shared } = resolveVariants({ model: "m", variants });
    const output = temporaryFolder();
    const run = evaluate({
      task,
      data: await task.load({}),
      settings: { fused: true, limit: 9, untilDecided: true },
      engines: () => new ServerVariants({ shared, baseline, fused, ask: { env: {} } }),
      output,
      asked: {},
      command: "fusecheck eval",
      signal: new AbortController().signal,
      progress: { start: () => () => {}, end: () => {}, note: () => {} },
    });
    await expect(run).rejects.toThrow("these servers run one after the other: add --parallel-variants");
    expect(existsSync(output)).toBe(false);
  });
});
