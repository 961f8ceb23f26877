import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunRecord } from "../../reports/run-record.ts";
import { filesOf, jsonOf, linesOf, rowsOf, run, start, temporaryFolder, until } from "./program.ts";
import type { ProgramRun } from "./program.ts";

const parent = temporaryFolder();
// Sequences of 200 tokens, two at a time: seconds of work, whatever the model answers.
const ASKED = ["eval", "--task", "gsm_synth", "--fused", "--limit", "4", "--num-fewshot", "1", "--concurrency", "2"];

/** Nothing of the program's process group is left, engine threads included. */
function isGone(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function interruptAt(
  moment: () => boolean,
  args: readonly string[],
  signals: readonly NodeJS.Signals[],
): Promise<ProgramRun> {
  const { child, ended } = start(args);
  const pid = child.pid as number;
  await until(moment);
  for (const signal of signals) process.kill(pid, signal);
  const result = await ended;
  expect(isGone(pid)).toBe(true);
  return result;
}

function wordsOf(commandLine: string): string[] {
  return commandLine.split(" ").map((word) => word.replaceAll("'", ""));
}

describe("Ctrl-C", () => {
  const folder = join(parent, "ctrl c");
  const journal = join(folder, "baseline/completions.jsonl");
  let printed = "";

  it("ends the run with 130 and one line that says how to go on", async () => {
    const args = [...ASKED, "--max-tokens", "32", "--output", folder];
    const { code, stdout, stderr } = await interruptAt(() => linesOf(journal).length > 0, args, ["SIGINT"]);
    expect([code, stdout]).toEqual([130, ""]);
    printed = /^fusecheck: interrupted; to go on where it stopped: fusecheck (eval [^\n]+)\n$/.exec(stderr)?.[1] ?? "";
    expect(printed).toContain(`--output '${folder}'`);
  });

  it("leaves whole files, the state, and no lock", () => {
    expect((jsonOf(join(folder, "run.json")) as RunRecord).status).toBe("interrupted");
    expect(filesOf(folder).filter((name) => /tmp|lock/.test(name))).toEqual([]);
    expect(rowsOf(journal).length).toBeGreaterThan(0);
  });

  it("prints a command that does go on when it is pasted", async () => {
    const words = wordsOf(printed.replace(`'${folder}'`, "FOLDER")).map((word) => (word === "FOLDER" ? folder : word));
    const { code } = await run(words);
    expect(code).toBe(0);
    expect(
      rowsOf<{ doc_id: number }>(journal)
        .map(({ doc_id: id }) => id)
        .toSorted((a, b) => a - b),
    ).toEqual([0, 1, 2, 3]);
  });

  it("works in the routing comparison too", async () => {
    const other = join(parent, "parity");
    const args = [...ASKED, "--max-tokens", "8", "--output", other];
    const { code, stderr } = await interruptAt(() => existsSync(join(other, "fused/routing.part")), args, ["SIGINT"]);
    expect([code, stderr.split("\n").length]).toEqual([130, 2]);
    expect(filesOf(other).filter((name) => /tmp|lock/.test(name))).toEqual([]);
  });

  it("ends at once when it comes twice, and the folder can still be resumed", async () => {
    const other = join(parent, "twice");
    const args = [...ASKED, "--max-tokens", "8", "--output", other];
    const first = await interruptAt(() => existsSync(join(other, "baseline/completions.jsonl")), args, [
      "SIGINT",
      "SIGINT",
    ]);
    expect(first.code === 130 || first.signal === "SIGINT").toBe(true);
    expect((await run(args)).code).toBe(0);
  });
});

it.each(["SIGTERM", "SIGHUP"] as const)("%s ends a run as Ctrl-C does", async (signal) => {
  const folder = join(parent, signal);
  const args = [...ASKED, "--max-tokens", "200", "--output", folder];
  const { code, stderr } = await interruptAt(() => existsSync(join(folder, "baseline")), args, [signal]);
  expect(code).toBe(130);
  expect(stderr).toMatch(/^fusecheck: interrupted; to go on where it stopped: fusecheck eval [^\n]+\n$/);
  expect((jsonOf(join(folder, "run.json")) as RunRecord).status).toBe("interrupted");
});
