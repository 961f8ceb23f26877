/** Whole runs against servers that fail now and then: their results are those of a run that nothing disturbs. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import seedrandom from "seedrandom";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { evaluate } from "../../comparison/evaluate.ts";
import type { Comparison } from "../../reports/comparison.ts";
import { resolveVariants } from "../../runners/config/index.ts";
import type { OpenAiRunnerOptions } from "../../runners/openai/index.ts";
import { ServerVariants } from "../../runners/server-variants.ts";
import { getTask } from "../../tasks/index.ts";
import { fileOf, linesOf } from "../e2e/program.ts";
import { startTestServer } from "../runners/openai/ask.ts";
import { TRANSIENT_FAULTS } from "../runners/openai/faults.ts";
import type { Fault } from "../runners/openai/faults.ts";
import { startReplayServer } from "../runners/openai/replay-server.ts";
import type { ReplayOptions, ReplayServer } from "../runners/openai/replay-server.ts";
import { completeFrom, findings, isTimed, solutions } from "./replayed.ts";

const DOCS = 300;

/** Client and server share a thread: only what is meant to time out should. */
const PATIENT: Partial<OpenAiRunnerOptions> = {
  env: {},
  timeouts: { firstByteMs: 1000, idleMs: 1000, totalMs: 2000 },
  retries: { baseMs: 1, capMs: 20, slowAttempts: 8 },
  limits: { maxResponseBytes: 1024 ** 2 },
};

let complete: (prompt: string) => string;
let clean: { readonly comparison: Comparison; readonly folder: string };

beforeAll(async () => {
  complete = completeFrom(await solutions(DOCS));
  const servers = await Promise.all([startReplayServer({ complete }), startReplayServer({ complete })]);
  clean = await runOn(servers, temporaryFolder());
  return async () => {
    for (const server of servers) await server.close();
    rmSync(clean.folder, { recursive: true, force: true });
  };
});

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "fusecheck-faults-"));
}

async function runOn(
  [baseline, fused]: readonly ReplayServer[],
  output: string,
  options: Partial<OpenAiRunnerOptions> = {},
): Promise<{ readonly comparison: Comparison; readonly folder: string }> {
  const task = getTask("gsm_synth");
  const config = resolveVariants({
    variants: { baseline: { base_url: baseline?.baseUrl ?? "" }, fused: { base_url: fused?.baseUrl ?? "" } },
  });
  const { baseline: a, fused: b, ...shared } = config;
  return evaluate({
    task,
    data: await task.load({}),
    settings: { fused: true, limit: DOCS, numFewshot: 0, concurrency: 32 },
    engines: () => new ServerVariants({ shared, baseline: a, fused: b, ask: { ...PATIENT, ...options } }),
    output,
    asked: {},
    command: "fusecheck eval",
    signal: new AbortController().signal,
    progress: { start: () => () => {}, end: () => {}, note: () => {} },
  });
}

/** Both variants' servers, with the same trouble. */
async function disturbed(
  trouble: Omit<ReplayOptions, "complete">,
  options: Partial<OpenAiRunnerOptions> = {},
): Promise<{ readonly folder: string; readonly comparison: Comparison; readonly servers: readonly ReplayServer[] }> {
  const servers = [
    await startTestServer({ complete, ...trouble }),
    await startTestServer({ complete, ...trouble }),
  ] as const;
  const folder = temporaryFolder();
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return { ...(await runOn(servers, folder, options)), servers };
}

function expectSameAsClean({ folder, comparison }: { readonly folder: string; readonly comparison: Comparison }): void {
  expect(findings(comparison)).toEqual(findings(clean.comparison));
  for (const variant of ["baseline", "fused"]) {
    const [one, other] = [clean.folder, folder].map((run) => readFileSync(fileOf(run, variant, "samples_"), "utf8"));
    expect(other).toBe(one);
    expect(linesOf(join(folder, variant, "completions.jsonl"))).toHaveLength(DOCS);
  }
}

it("the undisturbed run is what the others are held to", () => {
  const { variants, paired, verdict } = clean.comparison;
  for (const { counts } of variants) expect(counts).toMatchObject({ total: DOCS, failed: 0, skipped: 0 });
  expect(paired.map(({ bothRight, bothWrong }) => [bothRight, bothWrong])).toEqual([
    [150, 150],
    [150, 150],
  ]);
  expect(verdict).toMatchObject({ held: true, complete: true });
});

describe("the results are those of an undisturbed run", () => {
  it.each([false, true])(
    "after every failure, at random, in a tenth of the requests (streamed: %s)",
    async (stream) => {
      const random = seedrandom(`eval ${stream}`);
      const seen = new Set<Fault>();
      const fault = (): Fault | undefined => {
        if (random() >= 0.1) return undefined;
        const chosen = TRANSIENT_FAULTS[Math.floor(random() * TRANSIENT_FAULTS.length)] as Fault;
        seen.add(chosen);
        return chosen;
      };
      const run = await disturbed({ fault, merge: 4 }, { stream });
      expectSameAsClean(run);
      expect(seen.size).toBeGreaterThan(15);
      expect(run.servers.map(({ requests }) => requests.length > DOCS)).toEqual([true, true]);
    },
  );

  it.each(["status 429", "retry-after"] as const)("after a storm: the first 200 requests get %s", async (storm) => {
    const retries = { ...PATIENT.retries, attempts: 100 };
    const run = await disturbed({ fault: (n) => (n < 200 ? storm : undefined) }, { retries });
    expectSameAsClean(run);
    expect(run.servers.map(({ requests }) => requests.filter(isTimed).length)).toEqual([DOCS + 200, DOCS + 200]);
  });

  it("after a restart of the server half-way", async () => {
    const fused = await startTestServer({ complete });
    let again: ReplayServer | undefined;
    const baseline = await startTestServer({
      complete,
      delayMs: () => 2,
      intercept: () => {
        if (again !== undefined || baseline.requests.length < DOCS / 2) return false;
        again = baseline;
        void baseline.close().then(async () => {
          await new Promise((resolve) => setTimeout(resolve, 200));
          again = await startReplayServer({ complete, port: baseline.port });
        });
        return true;
      },
    });
    const folder = temporaryFolder();
    onTestFinished(async () => {
      await again?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const retries = { ...PATIENT.retries, attempts: 100 };
    expectSameAsClean(await runOn([baseline, fused], folder, { retries }));
    expect(again?.requests.length).toBeGreaterThan(0);
  });
});
