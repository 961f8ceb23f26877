/** `fusecheck history` in a process of its own. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openHistory } from "../../reports/history/history.ts";
import type { Trend } from "../../reports/history/trend.ts";
import { exampleRun } from "../reports/history/example.ts";
import { runFusecheck } from "./run-cli.ts";
import type { CliRun } from "./run-cli.ts";

const folder = mkdtempSync(join(tmpdir(), "fusecheck-cli-history-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const history = (...args: string[]): Promise<CliRun> => runFusecheck(["history", ...args]);

describe("a run of the embedded engine", () => {
  const run = join(folder, "run");
  const db = join(folder, "new/folder/h.db");

  beforeAll(async () => {
    const asked = ["--task", "gsm_synth", "--limit", "3", "--num-fewshot", "1", "--max-tokens", "120"];
    await runFusecheck(["eval", ...asked, "--output", run]);
  });

  it("is added, and added again, and is there once", async () => {
    for (const _ of [1, 2]) expect(await history("add", run, "--history", db)).toMatchObject({ code: 0, stderr: "" });
    const { stdout } = await history("show", "abacus-8m", "--filter", "strict-match", "--json", "--history", db);
    const [trend, ...others] = JSON.parse(stdout) as Trend[];
    expect(others).toEqual([]);
    const comparison = JSON.parse(readFileSync(join(run, "comparison.json"), "utf8")) as {
      variants: [{ table: { results: { gsm_synth: Record<string, number> } } }];
    };
    const night = trend!.nights[0]!;
    expect(trend!.nights).toHaveLength(1);
    expect(night.n).toBe(3);
    expect(night.correct / night.n).toBe(comparison.variants[0].table.results.gsm_synth["exact_match,strict-match"]);
  });

  it("can have a name of its own, and from a copy of the folder it is the same run", async () => {
    const copy = join(folder, "copy");
    cpSync(run, copy, { recursive: true });
    await history("add", copy, "--name", "mine", "--history", db);
    await history("add", run, "--name", "mine", "--history", db);
    const { stdout } = await history("show", "mine", "--history", db);
    expect(stdout).toMatch(/^mine \(abacus-8m\) gsm_synth embedded baseline flexible-extract #[0-9a-f]{6}\n/);
    expect(stdout).toContain("1 night: nothing to compare with yet");
  });

  it.each([
    ["running", /the run in .* has not ended \(running\): the command that began it goes on/],
    ["interrupted", /has not ended \(interrupted\)/],
  ])("is refused while it is %s", async (status, message) => {
    const unfinished = join(folder, status);
    cpSync(run, unfinished, { recursive: true });
    const record = JSON.parse(readFileSync(join(run, "run.json"), "utf8")) as object;
    writeFileSync(join(unfinished, "run.json"), JSON.stringify({ ...record, status }));
    expect(await history("add", unfinished, "--history", db)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message),
    });
  });

  it("whose comparison is cut short or something else is refused", async () => {
    const broken = join(folder, "broken");
    cpSync(run, broken, { recursive: true });
    writeFileSync(join(broken, "comparison.json"), '{"schema": 1, "vari');
    expect(await history("add", broken, "--history", db)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/comparison\.json is not JSON/),
    });
    writeFileSync(join(broken, "comparison.json"), '{"schema": 1, "variants": [null], "verdict": {}}');
    expect((await history("add", broken, "--history", db)).stderr).toContain("is not a comparison of this fusecheck");
  });
});

describe("a history of many nights", () => {
  const db = join(folder, "nights.db");

  beforeAll(async () => {
    const opened = await openHistory(db);
    const wobble = [0, 1, -1, 2, 0, -2];
    await opened.add(
      Array.from({ length: 40 }, (_, night) =>
        exampleRun(night, 1253 + wobble[night % 6]! - (night >= 36 ? 20 : 0), {
          facts: { variants: { fused: { server: { version: night >= 36 ? "0.9.2" : "0.9.1" } } } },
        }),
      ),
    );
    await opened.add([exampleRun(40, 3, { complete: false })]);
    await opened.close();
  });

  it("calls a loss, says since when and what changed, and ends with 1", async () => {
    const { code, stdout } = await history("show", "kimi", "--variant", "fused", "--bisect-hint", "--history", db);
    expect(code).toBe(1);
    expect(stdout).toContain("LOSS of -1.48 points since 2026-02-06 02:00: 0.9500 over 36 nights");
    expect(stdout).toContain("last good: 2026-02-05T02:00:00.000Z, /runs/35");
    expect(stdout).toContain("first bad: 2026-02-06T02:00:00.000Z, /runs/36");
    expect(stdout).toContain('variants.fused.server.version: "0.9.1" -> "0.9.2"');
    expect(stdout).toContain("incomplete: not counted");
  });

  it("says where nothing that was recorded changed", async () => {
    const opened = await openHistory(join(folder, "same.db"));
    await opened.add([...Array(30).keys()].map((night) => exampleRun(night, night < 25 ? 1253 : 1200, { facts: {} })));
    await opened.close();
    const { stdout } = await history("show", "kimi", "--bisect-hint", "--history", join(folder, "same.db"));
    expect(stdout).toContain("of all that was recorded, nothing changed between them");
  });

  it("lists its series without a name, and says what there is where a name is wrong", async () => {
    const { code, stdout } = await history("show", "--history", db);
    expect([code, stdout.split("\n").length]).toEqual([0, 5]);
    const wrong = await history("show", "kimmi", "--history", db);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "kimi"?') });
  });

  it("is steady again once the new level is accepted", async () => {
    const copy = join(folder, "accepted.db");
    cpSync(db, copy);
    expect((await history("accept", "kimi", "--since", "2026-02-06", "--history", copy)).code).toBe(0);
    const { code, stdout } = await history("show", "kimi", "--history", copy);
    expect([code, stdout.match(/steady: 0\.93\d\d over 4 nights/g)?.length]).toEqual([0, 4]);
  });

  it.each([
    [["accept", "kimi"], "--since takes"],
    [["accept", "kimi", "--since", "yesterday"], "--since takes"],
    [["accept", "--since", "2026-02-06"], "name the series"],
    [["show", "kimi", "glm"], 'unexpected argument "glm"'],
    [["add"], "name the run folders"],
    [["add", "x", "--json"], "--json does not go with fusecheck history add"],
    [["shw"], 'did you mean "show"?'],
    [[], "say what to do: add, show, accept"],
  ])("misused: %j", async (args, message) => {
    expect(await history(...args, "--history", db)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(message),
    });
  });

  it("in a folder, not a file", async () => {
    const place = join(folder, "a-folder");
    mkdirSync(place);
    expect(await history("show", "--history", place)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^fusecheck: the history .*a-folder cannot be read or written.*\n$/),
    });
  });
});
