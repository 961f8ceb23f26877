/** A night with the embedded engine, as a scheduler runs it: rows that fail, kill -9, shards, the history. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { NightSummary } from "../../nightly/summary.ts";
import { openHistory } from "../../reports/history/history.ts";
import type { HistoryRun } from "../../reports/history/record.ts";
import { jsonOf, linesOf, run, start, temporaryFolder, until } from "./program.ts";
import type { ProgramRun } from "./program.ts";

const parent = temporaryFolder();

const DEFAULTS = `defaults:
  task: gsm_synth
  limit: 4
  num_fewshot: 1
  max_tokens: 48
  parity_docs: 2
`;

/** A config in a folder of its own. */
function job(name: string, rows: string, more = ""): { readonly folder: string; readonly config: string } {
  const folder = join(parent, name);
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "nightly.yaml");
  writeFileSync(config, `${more}${DEFAULTS}rows:\n${rows}`);
  return { folder, config };
}

function nightly(config: string, ...more: string[]): Promise<ProgramRun> {
  return run(["nightly", "--config", config, "--night", "n1", ...more]);
}

function summaryOf(folder: string, name = "nightly.json"): NightSummary {
  return jsonOf(join(folder, name)) as NightSummary;
}

/** All that two nights of the same rows must share: neither times nor where their folders are. */
function timeless({ rows, ...night }: NightSummary): unknown {
  return {
    ...night,
    history: night.history.kind,
    rows: rows.map(({ seconds: _seconds, run: of, folders, ...row }) => ({
      ...row,
      folders: folders.map((folder) => folder.split("/").at(-1)),
      run: of && { name: of.name, protocol: of.protocol, scores: of.scores, complete: of.complete, held: of.held },
    })),
  };
}

const GOOD_AND_GONE = `  - name: first
  - name: gone
    fused: false
    engine: openai
    variants: { baseline: { base_url: "http://127.0.0.1:9/v1" } }
  - name: second
    seed: 7
    facts_env: { image: NIGHTLY_TEST_IMAGE }
`;

describe("two rows that run and one whose server is gone", () => {
  const { folder, config } = job("gone", GOOD_AND_GONE, "history: history.db\n");
  let ended: ProgramRun;

  beforeAll(async () => {
    ended = await run(["nightly", "--config", config, "--night", "n1"], {
      env: { NIGHTLY_TEST_IMAGE: "registry/a:1" },
    });
  });

  it("ends with 3, and says what did not run and why", () => {
    expect(ended.code).toBe(3);
    expect(ended.stdout).toContain("# Night n1: 2 of 3 rows held, 1 did not run");
    expect(ended.stdout).toMatch(/gone, \*\*did not run\*\*:\n\n- cannot reach http:\/\/127\.0\.0\.1:9\/v1/);
    const lines = ended.stderr.split("\n").filter((line) => line.startsWith("row "));
    expect(lines.map((line) => line.replace(/ \(\d+ s\)$/, ""))).toEqual([
      "row 1 of 3, first: held",
      "row 2 of 3, gone: failed",
      "row 3 of 3, second: held",
    ]);
    expect(readFileSync(join(folder, "nightly/n1/nightly.md"), "utf8")).toBe(ended.stdout);
  });

  it("leaves each row its run folder, and the night its summary", () => {
    const { rows, history, alarms } = summaryOf(join(folder, "nightly/n1"));
    expect(rows.map(({ name, outcome }) => [name, outcome])).toEqual([
      ["first", "held"],
      ["gone", "failed"],
      ["second", "held"],
    ]);
    expect([history.kind, alarms]).toEqual(["written", []]);
    for (const name of ["first", "second"])
      expect(existsSync(join(folder, "nightly/n1", name, "report.md"))).toBe(true);
  });

  it("has written both good rows into the history, with what was stated about them", async () => {
    const history = await openHistory(join(folder, "history.db"), { create: false });
    const series = await history.series({ variant: "fused", filter: "strict-match" });
    expect(series.map(({ name }) => name)).toEqual(["first", "second"]);
    const [night] = await history.nights(series[1]!);
    expect((await history.run(night!.run)).facts).toMatchObject({ stated: { image: "registry/a:1" } });
    await history.close();
  });

  it("asked again, runs again only the row that failed, and writes the same history", async () => {
    const journal = join(folder, "nightly/n1/first/baseline/completions.jsonl");
    const before = readFileSync(journal, "utf8");
    const again = await nightly(config);
    expect(again.code).toBe(3);
    expect(again.stderr).toMatch(/row 1 of 3, first: held/);
    expect(readFileSync(journal, "utf8")).toBe(before);
    const { stdout } = await run(["history", "show", "first", "--json", "--history", join(folder, "history.db")]);
    expect((JSON.parse(stdout) as { nights: unknown[] }[]).map(({ nights }) => nights.length)).toEqual([1, 1, 1, 1]);
  });
});

describe("kill -9", () => {
  const rows = "  - name: a\n  - name: b\n    seed: 5\n";

  it("costs at most the docs in flight: the same command goes on, and ends as an undisturbed night", async () => {
    const whole = job("undisturbed", rows, "history: history.db\n");
    expect((await nightly(whole.config)).code).toBe(0);
    const cut = job("killed", rows, "history: history.db\n");
    const night = join(cut.folder, "nightly/n1");
    for (const moment of [
      () => linesOf(join(night, "a/baseline/completions.jsonl")).length > 1,
      () => existsSync(join(night, "rows/a.json")),
      () => linesOf(join(night, "b/fused/completions.jsonl")).length > 0,
    ]) {
      const { child, ended } = start(["nightly", "--config", cut.config, "--night", "n1"]);
      await until(moment);
      child.kill("SIGKILL");
      await ended;
      expect(existsSync(join(night, "nightly.json"))).toBe(false);
    }
    expect((await nightly(cut.config)).code).toBe(0);
    expect(timeless(summaryOf(night))).toEqual(timeless(summaryOf(join(whole.folder, "nightly/n1"))));
    for (const variant of ["baseline", "fused"])
      expect(linesOf(join(night, "b", variant, "completions.jsonl"))).toHaveLength(4);
  });

  it("a second process on the same night is turned away, and the first one goes on", async () => {
    const { folder, config } = job("twice", rows);
    const first = start(["nightly", "--config", config, "--night", "n1"]);
    await until(() => linesOf(join(folder, "nightly/n1/a/baseline/completions.jsonl")).length > 0);
    expect(await nightly(config)).toMatchObject({ code: 2, stderr: expect.stringContaining("is using this folder") });
    expect((await first.ended).code).toBe(0);
  });

  it("Ctrl-C ends with 130 and the command that goes on", async () => {
    const { folder, config } = job("interrupted", rows);
    const { child, ended } = start(["nightly", "--config", config, "--night", "n1", "--shard", "1/1"]);
    await until(() => linesOf(join(folder, "nightly/n1/a/baseline/completions.jsonl")).length > 0);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toContain(
      `to go on where it stopped: fusecheck nightly --config ${config} --night n1 --shard 1/1\n`,
    );
  });
});

describe("shards", () => {
  const rows = "  - name: a\n  - name: b\n    seed: 5\n  - name: c\n    seed: 6\n    fused: false\n";
  const whole = job("whole", rows, "history: history.db\n");
  const parts = job("parts", rows, "history: history.db\n");
  const night = join(parts.folder, "nightly/n1");
  const history = join(parts.folder, "merged.db");
  const merge = (...args: string[]): Promise<ProgramRun> => run(["merge", ...args]);

  beforeAll(async () => {
    await nightly(whole.config);
    for (const shard of ["1/2", "2/2"]) await nightly(parts.config, "--shard", shard);
  });

  it("do not write the history: that is for the merge", () => {
    expect(existsSync(join(parts.folder, "history.db"))).toBe(false);
    expect(summaryOf(night, "nightly.shard-1-of-2.json").rows.map(({ name }) => name)).toEqual(["a", "c"]);
    expect(summaryOf(night, "nightly.shard-2-of-2.json").rows.map(({ name }) => name)).toEqual(["b"]);
  });

  it("merged are the whole night", async () => {
    const { code, stdout } = await merge(night, "--history", history);
    expect([code, stdout.split("\n")[0]]).toEqual([0, "# Night n1: 3 of 3 rows held"]);
    expect(timeless(summaryOf(night))).toEqual(timeless(summaryOf(join(whole.folder, "nightly/n1"))));
    const [one, other] = await Promise.all(
      [join(whole.folder, "history.db"), history].map(async (place) => {
        const { stdout: series } = await run(["history", "show", "--history", place]);
        return series;
      }),
    );
    expect(other).toBe(one);
  });

  it("are found in folders that were downloaded one by one, and the runs beside them", async () => {
    const folders = ["1", "2"].map((index) => {
      const folder = join(parent, `downloaded-${index}`);
      mkdirSync(folder, { recursive: true });
      cpSync(join(night, `nightly.shard-${index}-of-2.json`), join(folder, `nightly.shard-${index}-of-2.json`));
      return folder;
    });
    const output = join(parent, "merged");
    expect((await merge(...folders, "--output", output)).code).toBe(0);
    expect(summaryOf(output).rows[1]!.folders).toEqual(["../downloaded-2/b"]);
  });

  it("that are missing, there twice, or of another config or night are refused by name", async () => {
    const one = join(night, "nightly.shard-1-of-2.json");
    const two = join(night, "nightly.shard-2-of-2.json");
    const changed = (name: string, change: (summary: NightSummary) => object): string => {
      const file = join(parent, name);
      writeFileSync(file, JSON.stringify(change(summaryOf(night, "nightly.shard-2-of-2.json"))));
      return file;
    };
    const copy = changed("copy.json", (summary) => summary);
    const otherNight = changed("night.json", (summary) => ({ ...summary, night: "n2" }));
    const otherConfig = changed("config.json", (summary) => ({
      ...summary,
      config: { ...summary.config, sha256: "f00" },
    }));
    const otherCount = changed("count.json", (summary) => ({ ...summary, shard: { index: 2, of: 3 } }));
    const hostile = changed("hostile.json", (summary) => ({
      ...summary,
      rows: summary.rows.map((row) =>
        Object.assign(row, { run: { ...row.run, scores: [{ ...row.run!.scores[0], n: "1e999" }] } }),
      ),
    }));
    const half = join(parent, "half.json");
    writeFileSync(half, readFileSync(two, "utf8").slice(0, 500));
    for (const [places, message] of [
      [[one], /^fusecheck: shard 2\/2 missing: run it/],
      [[one, two, copy], /shard 2\/2 is there twice: .*copy\.json/],
      [[one, otherNight], /do not belong together: the night is n1 there and n2 here/],
      [[one, otherConfig], /do not belong together: the config's SHA-256 is/],
      [[one, otherCount], /the number of shards is 2 there and 3 here/],
      [[one, hostile], /hostile\.json is no summary of this fusecheck's nightly \(rows\.0\.run\.scores\.0\.n: /],
      [[one, half], /half\.json is not JSON: run that shard again/],
      [[join(whole.folder, "nightly/n1/nightly.json")], /is of a whole night, not of a shard/],
      [[join(parent, "nowhere")], /cannot read .*nowhere/],
      [[parts.folder], /holds no nightly\.shard-\*\.json/],
      [[], /name the shards' folders/],
    ] as const) {
      const { code, stderr } = await merge(...places);
      expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    }
  });
});

describe("what a row is held to", () => {
  it("a threshold that is missed, a margin that the docs cannot show, a re-run that was asked for", async () => {
    const { folder, config } = job(
      "held-to",
      "  - name: below\n    threshold: 1\n  - name: undecided\n    margin: 0.5\n    rerun_inconclusive: { times: 1 }\n",
    );
    const { code, stdout } = await nightly(config, "--quiet");
    expect(code).toBe(1);
    expect(stdout).toContain("1 regressed, 1 inconclusive");
    expect(stdout).toMatch(/exact match 0\.\d+ is below the threshold of 1/);
    const [, undecided] = summaryOf(join(folder, "nightly/n1")).rows;
    expect(undecided!.folders).toEqual(["undecided", "undecided.rerun-1"]);
    expect(undecided!.decisions[0]).toMatchObject({ decision: "inconclusive", runs: 2, n: 4 });
    const seeds = undecided!.folders.map(
      (name) => (jsonOf(join(folder, "nightly/n1", name, "run.json")) as { settings: { seed: number } }).settings.seed,
    );
    expect(new Set(seeds).size).toBe(2);
  });
});

/** The run's series with so many right of 400. */
function scored({ scores }: HistoryRun, correct: number): HistoryRun["scores"] {
  return scores.map(({ variant, filter }) => ({ variant, filter, correct, n: 400 }));
}

describe("a row that left its own level", () => {
  it("raises the alarm, with what changed, and the night ends with 1", async () => {
    const { folder, config } = job("drift", "  - name: a\n    fused: false\n", "history: history.db\n");
    const night = join(folder, "nightly/n1");
    expect((await nightly(config)).code).toBe(0);
    const [row] = summaryOf(night).rows;
    const history = await openHistory(join(folder, "history.db"));
    const past = Array.from({ length: 30 }, (_, i): HistoryRun => {
      const created = new Date(Date.UTC(2026, 0, 1 + i)).toISOString();
      const scores = scored(row!.run!, 380);
      return { ...row!.run!, id: `past-${i}`, created, scores, facts: { ...row!.run!.facts, fusecheck: "0.0.9" } };
    });
    await history.add(past);
    await history.close();
    // The night's own run, as of 400 docs with 20 points less.
    const kept = jsonOf(join(night, "rows/a.json")) as { result: { run: HistoryRun } };
    const { run: of } = kept.result;
    const wrong = { ...of, scores: scored(of, 300) };
    writeFileSync(join(night, "rows/a.json"), JSON.stringify({ ...kept, result: { ...kept.result, run: wrong } }));
    const { code, stdout } = await nightly(config);
    expect(code).toBe(1);
    expect(stdout).toContain("1 of 1 row held, 2 drift alarms");
    expect(stdout).toMatch(/\*\*Drift alarm\*\*: `a \(abacus-8m\) gsm_synth embedded baseline strict-match #\w+`/);
    expect(stdout).toMatch(/LOSS of -20\.00 points since 20/);
    expect(stdout).toMatch(/fusecheck: "0\.0\.9" -\\> "\d/);
  });
});

describe("a history that cannot be", () => {
  it("is said before anything is run", async () => {
    const { folder, config } = job("bad-history", "  - name: a\n");
    const { code, stderr } = await nightly(config, "--history", "postgres://me:hunter2@127.0.0.1:1/db");
    expect([code, stderr]).toEqual([2, expect.stringContaining("cannot be reached")]);
    expect(stderr).not.toContain("hunter2");
    expect(existsSync(join(folder, "nightly"))).toBe(false);
  });

  it("that fails at the end costs nothing: the summary says so, and the runs can be added later", async () => {
    const { folder, config } = job("lost-history", "  - name: a\n");
    const place = join(folder, "h.db");
    const { child, ended } = start(["nightly", "--config", config, "--night", "n1", "--history", place]);
    // In mid-night the database becomes something else.
    await until(() => existsSync(join(folder, "nightly/n1/a/baseline/completions.jsonl")));
    writeFileSync(place, "not a database, ".repeat(100));
    const { code, stdout } = await ended;
    expect([code, child.signalCode]).toEqual([3, null]);
    expect(stdout).toContain("**The history was not written**");
    expect(summaryOf(join(folder, "nightly/n1")).history.kind).toBe("lost");
    const added = await run(["history", "add", join(folder, "nightly/n1/a"), "--history", join(folder, "other.db")]);
    expect(added.code).toBe(0);
  });
});

it.each([
  [["--config", "no.yaml"], "cannot read no.yaml"],
  [[], "--config must be given"],
])("misused: %j", async (args, message) => {
  expect(await run(["nightly", ...args])).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
});
