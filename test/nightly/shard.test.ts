import fc from "fast-check";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkNight, nightToRun } from "../../nightly/night.ts";
import { parseShard, rowsOf } from "../../nightly/shard.ts";
import { exitCodeOfNight } from "../../nightly/summary.ts";
import type { NightSummary, RowOutcome } from "../../nightly/summary.ts";

describe("shards", () => {
  it("have every row once, as evenly as can be", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 1, max: 20 }), (count, of) => {
        const rows = Array.from({ length: count }, (_, i) => i);
        const shards = Array.from({ length: of }, (_, i) => rowsOf(rows, { index: i + 1, of }));
        expect(shards.flat().toSorted((a, b) => a - b)).toEqual(rows);
        const sizes = shards.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("are read as I/N", () => {
    expect(parseShard("2/8")).toEqual({ index: 2, of: 8 });
  });

  it.each(["0/8", "9/8", "2", "2/0", "a/b", "-1/8", "1/99999", "1.5/2", ""])("refuse %j", (text) => {
    expect(() => parseShard(text)).toThrow("--shard takes I/N");
  });
});

describe("a night's name", () => {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-night-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const now = new Date("2026-11-25T00:30:00Z");

  it("is the day in UTC", () => {
    expect(nightToRun(join(folder, "none"), now)).toBe("2026-11-25");
  });

  it("is yesterday where that night was cut off, until it is through or today's has begun", () => {
    mkdirSync(join(folder, "2026-11-24"));
    expect(nightToRun(folder, now)).toBe("2026-11-24");
    writeFileSync(join(folder, "2026-11-24/nightly.json"), "{}");
    expect(nightToRun(folder, now)).toBe("2026-11-25");
    rmSync(join(folder, "2026-11-24/nightly.json"));
    mkdirSync(join(folder, "2026-11-25"));
    expect(nightToRun(folder, now)).toBe("2026-11-25");
  });

  it.each(["../x", "a/b", "", "-x"])("cannot be %j", (night) => {
    expect(() => checkNight(night)).toThrow("--night takes a name");
  });
});

describe("the exit code", () => {
  const night = (outcomes: readonly RowOutcome[], changes: Partial<NightSummary> = {}): NightSummary => ({
    schema: 1,
    fusecheck: "0",
    night: "n",
    config: { sha256: "", false_alarm_nights: 1000, rows: [] },
    shard: null,
    rows: outcomes.map((outcome) => ({
      name: outcome,
      outcome,
      reasons: [],
      decisions: [],
      folders: [],
      seconds: 0,
      run: null,
    })),
    history: { kind: "none", reason: "" },
    alarms: [],
    trends: [],
    ...changes,
  });
  const alarm = (kind: "loss" | "gain"): NightSummary["alarms"] => [{ series: "", row: "", kind, text: "", hint: [] }];

  it.each([
    [0, night([])],
    [0, night(["held", "held"])],
    [4, night(["held", "inconclusive"])],
    [3, night(["inconclusive", "incomplete"])],
    [3, night(["held", "failed"])],
    [1, night(["failed", "regressed", "inconclusive"])],
    [1, night(["held", "failed"], { alarms: alarm("loss") })],
    [0, night(["held"], { alarms: alarm("gain") })],
    [3, night(["held"], { history: { kind: "lost", place: "", reason: "" } })],
  ])("is %d: what is wrong comes before what is missing, and that before what is not known", (code, summary) => {
    expect(exitCodeOfNight(summary)).toBe(code);
  });
});
