import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openHistory } from "../../../reports/history/history.ts";
import type { History } from "../../../reports/history/history.ts";
import { exampleRun } from "./example.ts";
import { PLACES } from "./places.ts";
import type { Places } from "./places.ts";

const CHILD = fileURLToPath(new URL("add-runs.ts", import.meta.url));

interface Runner {
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
  readonly kill: () => void;
  readonly said: () => string;
}

function runner(place: string, name: string, batches: number, size: number): Runner {
  const args = ["--import", "tsx", CHILD, place, name, String(batches), String(size)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return {
    ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr }))),
    kill: () => void child.kill("SIGKILL"),
    said: () => stdout,
  };
}

describe.each(Object.entries(PLACES))("a history in %s", (_, open) => {
  let places: Places;
  let place: string;
  let history: History;

  beforeAll(async () => {
    places = await open();
  });
  afterAll(() => places.stop());
  beforeEach(async () => {
    place = await places.place();
    history = await openHistory(place);
  });
  afterEach(() => history.close());

  const nightsOf = async (name: string): Promise<number[]> => {
    const [series] = await history.series({ name, variant: "fused", filter: "strict-match" });
    return series === undefined ? [] : (await history.nights(series)).map(({ correct }) => correct);
  };

  it("gives the nights back in the order of their time, whatever order they came in", async () => {
    await history.add([exampleRun(2, 1252), exampleRun(0, 1250)]);
    await history.add([exampleRun(1, 1251)]);
    expect(await nightsOf("kimi")).toEqual([1250, 1251, 1252]);
    expect(await history.series()).toHaveLength(4);
  });

  it("finds series by name or model, and by what else narrows it", async () => {
    await history.add([exampleRun(0, 1250), exampleRun(0, 1200, { name: "glm", model: "GLM-4" })]);
    expect(await history.series({ name: "Kimi-K2" })).toHaveLength(4);
    expect(await history.series({ name: "glm", variant: "fused" })).toHaveLength(2);
    expect(await history.series({ engine: "sglang" })).toEqual([]);
  });

  it("keeps runs with other settings apart", async () => {
    await history.add([exampleRun(0, 1250), exampleRun(1, 90, { protocol: "other" })]);
    expect(await history.series({ variant: "fused", filter: "strict-match" })).toHaveLength(2);
  });

  it("takes a run again for the same run, with what has become of it since", async () => {
    await history.add([exampleRun(0, 1200, { complete: false })]);
    await history.add([exampleRun(0, 1250)]);
    await history.add([exampleRun(0, 1250)]);
    const [series] = await history.series({ variant: "fused", filter: "strict-match" });
    expect(await history.nights(series!)).toMatchObject([{ correct: 1250, complete: true }]);
  });

  it("adds all or none", async () => {
    const broken = {
      ...exampleRun(1, 1250),
      scores: [{ variant: "fused", filter: "x", correct: 1, n: null as unknown as number }],
    };
    await expect(history.add([exampleRun(0, 1250), broken])).rejects.toThrow(/history .* failed/);
    expect(await history.series()).toEqual([]);
  });

  it("counts from an accepted level on", async () => {
    await history.add([0, 1, 2, 3].map((night) => exampleRun(night, 1250 + night)));
    await history.acceptLevel(await history.series(), exampleRun(2, 0).created);
    expect(await nightsOf("kimi")).toEqual([1252, 1253]);
    const [series] = await history.series({ variant: "fused", filter: "strict-match" });
    expect(await history.nights(series!, { all: true })).toHaveLength(4);
  });

  it("keeps the facts of a run", async () => {
    await history.add([exampleRun(7, 1250)]);
    expect(await history.run("kimi-7")).toMatchObject({
      folder: "/runs/7",
      facts: { environment: { git_commit: "c7" } },
    });
    await expect(history.run("nobody")).rejects.toThrow("no run nobody");
  });

  it("loses nothing when three runners write at once, two of them the same series", async () => {
    const runners = [runner(place, "a", 30, 2), runner(place, "a", 30, 2), runner(place, "b", 30, 2)];
    for (const { ended } of runners) expect(await ended).toMatchObject({ code: 0, stderr: "" });
    expect(await nightsOf("a")).toHaveLength(60);
    expect(await nightsOf("b")).toHaveLength(60);
  });

  it("holds whole batches only after kill -9", async () => {
    for (const [round, after] of [2, 5, 9].entries()) {
      const name = `killed ${round}`;
      const { ended, kill, said } = runner(place, name, 1000, 7);
      while (said().split("\n").length < after) await new Promise((resolve) => setTimeout(resolve, 5));
      kill();
      const { stdout } = await ended;
      const nights = await nightsOf(name);
      expect(nights.length % 7).toBe(0);
      // What was said to be written is there.
      expect(nights.length).toBeGreaterThanOrEqual(7 * (stdout.split("\n").length - 2));
    }
  });

  it("is made once where four runners find none at the same time", async () => {
    const missing = await places.place();
    const runners = ["a", "b", "c", "d"].map((name) => runner(missing, name, 3, 1));
    for (const { ended } of runners) expect(await ended).toMatchObject({ code: 0, stderr: "" });
    const made = await openHistory(missing);
    expect(await made.series()).toHaveLength(16);
    await made.close();
  });
});
