/** Runs that go on with another server than they began with: what is refused, what is kept, what is said. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { changesWithin, unlikeEarlier } from "../../comparison/engine-sessions.ts";
import { evaluate, InterruptedError } from "../../comparison/evaluate.ts";
import type { Evaluation } from "../../comparison/evaluate.ts";
import { UserError } from "../../errors.ts";
import { renderConsole } from "../../reports/console.ts";
import { settled } from "../../reports/run-record.ts";
import type { EngineSession, RunRecord } from "../../reports/run-record.ts";
import { resolveVariants } from "../../runners/config/index.ts";
import { ServerVariants } from "../../runners/server-variants.ts";
import { getTask } from "../../tasks/index.ts";
import { jsonOf } from "../e2e/program.ts";
import { startTestServer } from "../runners/openai/ask.ts";
import type { ReplayServer } from "../runners/openai/replay-server.ts";
import { MODEL } from "../runners/openai/replay-server.ts";
import { completeFrom, solutions } from "./replayed.ts";

const DOCS = 12;

/** Only the baseline is. */
const NOT_ASKED = "http://127.0.0.1:9/v1";

/** A server whose longest context tells it from others. */
async function serverOf(maxModelLen: number): Promise<ReplayServer> {
  const complete = completeFrom(await solutions(DOCS));
  return startTestServer({
    complete,
    intercept: ({ method, url }, response) => {
      if (method !== "GET" || url !== "/v1/models") return false;
      response.end(JSON.stringify({ data: [{ id: MODEL, max_model_len: maxModelLen }] }));
      return true;
    },
  });
}

interface Session {
  readonly allowDifferences?: boolean;
  /** Ends the session once so many of its docs are answered. Default: it goes to the end. */
  readonly stopAfter?: number;
}

/** A run folder, and a way to go on with it on a server. */
function aRun(): {
  readonly on: (server: ReplayServer, session?: Session) => Promise<Evaluation>;
  readonly record: () => RunRecord;
  readonly report: () => string;
  readonly notes: string[];
} {
  const output = mkdtempSync(join(tmpdir(), "fusecheck-sessions-"));
  onTestFinished(() => rmSync(output, { recursive: true, force: true }));
  const notes: string[] = [];
  const on = async (
    server: ReplayServer,
    { allowDifferences = false, stopAfter }: Session = {},
  ): Promise<Evaluation> => {
    const task = getTask("gsm_synth");
    const resolved = resolveVariants({
      variants: { baseline: { base_url: server.baseUrl }, fused: { base_url: NOT_ASKED } },
    });
    const { baseline, fused: _, ...shared } = resolved;
    const stop = new AbortController();
    let before: number | undefined;
    const settings = { fused: false, limit: DOCS, numFewshot: 0, concurrency: 1, allowDifferences };
    return evaluate({
      task,
      data: await task.load({}),
      settings,
      engines: () => new ServerVariants({ shared, baseline, allowDifferences, ask: { env: {} } }),
      output,
      asked: {},
      command: "fusecheck eval",
      signal: stop.signal,
      progress: {
        start: () => (state) => {
          before ??= state.done;
          if (stopAfter !== undefined && state.done - before >= stopAfter) stop.abort(new Error("stop"));
        },
        end: () => {},
        note: (text) => notes.push(text),
      },
    });
  };
  return {
    on,
    record: () => jsonOf(join(output, "run.json")) as RunRecord,
    report: () => readFileSync(join(output, "report.md"), "utf8"),
    notes,
  };
}

const DIFFERENCE = "the longest context differs: 4096 before, 2048 now";

describe("a variant that is opened again", () => {
  it("on the same engine at another address goes on, and each session is on record", async () => {
    const { on, record } = aRun();
    await expect(on(await serverOf(4096), { stopAfter: 4 })).rejects.toThrow(InterruptedError);
    const { comparison } = await on(await serverOf(4096));
    expect(comparison.differences).toEqual([]);
    const { history = [] } = record().variants["baseline"] ?? {};
    expect(history).toMatchObject([{ engine: { max_model_len: 4096 } }, { engine: { max_model_len: 4096 } }]);
    const answered = history.map((each) => each.answered);
    expect([answered[0], (answered[0] ?? 0) + (answered[1] ?? 0)]).toEqual([expect.any(Number), DOCS]);
    expect(answered[0]).toBeGreaterThanOrEqual(4);
    for (const { started } of history) expect(started).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("on another engine is refused, and the record is as it was", async () => {
    const { on, record } = aRun();
    await expect(on(await serverOf(4096), { stopAfter: 4 })).rejects.toThrow(InterruptedError);
    const before = record().variants;
    const other = await serverOf(2048);
    const refused = on(other);
    await expect(refused).rejects.toThrow(UserError);
    await expect(refused).rejects.toThrow(
      `baseline is not the engine that it was when this run began: ${DIFFERENCE}; `,
    );
    expect([record().variants, other.requests.length]).toEqual([before, 0]);
  });

  it("on another engine where that is allowed: said at once, in all records, and by how many docs", async () => {
    const { on, record, report, notes } = aRun();
    await expect(on(await serverOf(4096), { stopAfter: 4 })).rejects.toThrow(InterruptedError);
    const [first] = record().variants["baseline"]?.history ?? [];
    const other = await serverOf(2048);
    await expect(on(other, { allowDifferences: true, stopAfter: 2 })).rejects.toThrow(InterruptedError);
    expect(notes.join("\n")).toContain(DIFFERENCE);
    // A run that does not get to its end says so, too.
    expect(record().differences).toEqual([expect.stringContaining(DIFFERENCE)]);
    const { comparison } = await on(other, { allowDifferences: true });
    const [mine, all] = [first?.answered ?? 0, DOCS];
    const sentence = `baseline was answered by two engines, ${mine} docs by one and ${all - mine} by another: ${DIFFERENCE}`;
    expect([comparison.differences, record().differences]).toEqual([[sentence], [sentence]]);
    for (const text of [report(), renderConsole(comparison)]) expect(text).toContain(sentence);
    const history = record().variants["baseline"]?.history ?? [];
    expect(history.map(({ engine }) => engine["max_model_len"])).toEqual([4096, 2048, 2048]);
    expect(history.reduce((sum, { answered }) => sum + answered, 0)).toBe(DOCS);
  });

  it("on another engine where nothing was answered yet begins with that one", async () => {
    const { on, record } = aRun();
    await expect(on(await serverOf(4096), { stopAfter: 0 })).rejects.toThrow(InterruptedError);
    expect(record().variants["baseline"]?.history).toMatchObject([{ answered: 0 }]);
    const { comparison } = await on(await serverOf(2048));
    expect([comparison.differences, record().variants["baseline"]?.engine]).toMatchObject([
      [],
      { max_model_len: 2048 },
    ]);
  });
});

/** Engines differ where both say a version and it is not the same, as between variants. */
function changes(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): string[] {
  const [a, b] = [before["version"], now["version"]];
  if (typeof a !== "string" || typeof b !== "string" || a === b) return [];
  return [`version differs: ${a} before, ${b} now`];
}

function session(version: string | undefined, answered: number, judged = false): EngineSession {
  return { started: "2026-01-01T00:00:00.000Z", engine: version === undefined ? {} : { version }, answered, judged };
}

describe("an engine is held to all that answered, not to the last", () => {
  it("one that does not say its version hides no change", () => {
    const history = [session("1", 5), session(undefined, 5)];
    expect(unlikeEarlier(history, { version: "2" }, changes)).toEqual(["version differs: 1 before, 2 now"]);
    expect(changesWithin("fused", [...history, session("2", 3)], changes)).toEqual([
      "fused was answered by two engines, 10 docs by one and 3 by another: version differs: 1 before, 2 now",
    ]);
  });

  it("back and forth is one change, and a session that did nothing is none", () => {
    const history = [session("1", 2), session("2", 3), session("1", 4), session("2", 1), session("3", 0)];
    expect(changesWithin("fused", history, changes)).toEqual([
      "fused was answered by two engines, 6 docs by one and 4 by another: version differs: 1 before, 2 now",
    ]);
    expect(unlikeEarlier([session("3", 0)], { version: "1" }, changes)).toEqual([]);
  });

  it("what parity is judged by counts as much as answers", () => {
    const history = [session("1", 6), session("2", 0, true)];
    expect(unlikeEarlier(history, { version: "1" }, changes)).toHaveLength(1);
    expect(changesWithin("fused", history, changes)).toEqual([
      "fused was answered by one engine and its routing or log-probabilities come from another: " +
        "version differs: 1 before, 2 now",
    ]);
  });
});

it("docs that a killed session answered and did not count are counted for it", () => {
  expect(settled([session("1", 5), session("2", 2)], 9)).toMatchObject([{ answered: 5 }, { answered: 4 }]);
  expect(settled([session("1", 5)], 5)).toMatchObject([{ answered: 5 }]);
  expect(settled([], 7)).toEqual([]);
});
