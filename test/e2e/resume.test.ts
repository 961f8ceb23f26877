/** Killed without warning at any moment, a run goes on where it was, and ends with the files of an undisturbed one. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import { fileOf, filesOf, jsonOf, linesOf, rowsOf, run, start, temporaryFolder, until } from "./program.ts";

const DOCS = 6;
const ASKED = [
  "eval",
  "--task",
  "gsm_synth",
  "--fused",
  "--limit",
  String(DOCS),
  "--num-fewshot",
  "1",
  "--max-tokens",
  "32",
];

const parent = temporaryFolder();
const undisturbed = join(parent, "undisturbed");
const killed = join(parent, "killed");
const again = [...ASKED, "--output", killed];

/** Two docs at a time, so that they do not all end at once. */
const slowly = [...again, "--concurrency", "2"];

const journal = (variant: string): string => join(killed, variant, "completions.jsonl");
const scored = (variant: string, folder = killed): string => join(folder, variant, "scored.jsonl");

beforeAll(async () => {
  await run([...ASKED, "--output", undisturbed]);
});

/** Starts the run, lets it get as far as `moment`, and kills it and all that belongs to it. */
async function killAt(moment: () => boolean): Promise<NodeJS.Signals | null> {
  const { child, ended } = start(slowly);
  let over = false;
  void ended.then(() => (over = true));
  await until(() => over || moment());
  process.kill(-(child.pid as number), "SIGKILL");
  return (await ended).signal;
}

describe("a run that is killed again and again", () => {
  it("can be killed before it has asked anything", async () => {
    expect(await killAt(() => existsSync(join(killed, "run.json")))).toBe("SIGKILL");
  });

  it("can be killed in the baseline, and refuses a second process until then", async () => {
    const asked = linesOf(journal("baseline")).length;
    const { child, ended } = start(slowly);
    await until(() => linesOf(journal("baseline")).length > asked);
    process.kill(child.pid as number, "SIGSTOP");
    const second = await run(again);
    expect([second.code, second.stdout]).toEqual([2, ""]);
    expect(second.stderr).toMatch(
      new RegExp(`^fusecheck: ${killed}/run\\.lock: process ${child.pid} is using this folder: [^\\n]+\\n$`),
    );
    process.kill(child.pid as number, "SIGKILL");
    expect((await ended).signal).toBe("SIGKILL");
    expect(existsSync(join(killed, "run.lock"))).toBe(true);
  });

  it("can be killed with a journal line half written", async () => {
    expect(await killAt(() => linesOf(journal("fused")).length >= 2)).toBe("SIGKILL");
    appendFileSync(journal("fused"), '{"doc_id":5,"doc_hash":"ab');
  });

  it("can be killed while it scores, with its lines half written", async () => {
    expect(await killAt(() => linesOf(scored("fused")).length >= 2)).toBe("SIGKILL");
    appendFileSync(scored("fused"), '{"doc_id":');
    appendFileSync(join(killed, "fused/routing.part"), "half a record");
  });

  it("is finished by the same command, at whatever concurrency", async () => {
    const { code, signal, stderr } = await run([...again, "--concurrency", "32"]);
    expect([code, signal]).toEqual([0, null]);
    expect(stderr).toBe(`run folder: ${killed}\n`);
  });

  it.each(["baseline", "fused"])("has asked no doc of %s twice that was answered", (variant) => {
    const rows = rowsOf<{ doc_id: number }>(journal(variant));
    expect(rows.map(({ doc_id: id }) => id).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("leaves nothing behind that an undisturbed run does not", () => {
    const withoutTime = (folder: string): string[] => filesOf(folder).map((name) => name.replace(/_\d{4}-.*\./, "_."));
    expect(withoutTime(killed)).toEqual(withoutTime(undisturbed));
  });

  it.each(["baseline", "fused"])("has the same samples and the same capture of %s, byte for byte", (variant) => {
    for (const beginning of ["samples_", "routing.safetensors"]) {
      const [one, other] = [undisturbed, killed].map((folder) => readFileSync(fileOf(folder, variant, beginning)));
      expect(other?.equals(one as Buffer)).toBe(true);
    }
  });

  it("has the same comparison and scored rows, times aside", () => {
    const [one, other] = [undisturbed, killed].map((folder) => {
      const comparison = jsonOf(join(folder, "comparison.json")) as Comparison;
      const { created, command, variants, ...rest } = comparison;
      expect(Date.parse(created)).not.toBeNaN();
      expect(command).toContain(folder);
      expect(variants.every(({ seconds }) => seconds > 0)).toBe(true);
      return [rest, variants.map((variant) => Object.entries(variant).filter(([name]) => name !== "seconds"))];
    });
    expect(other).toEqual(one);
    for (const variant of ["baseline", "fused"]) {
      expect(readFileSync(scored(variant), "utf8")).toBe(readFileSync(scored(variant, undisturbed), "utf8"));
    }
  });

  it("has the same report, times aside", () => {
    const [one, other] = [undisturbed, killed].map((folder) =>
      readFileSync(join(folder, "report.md"), "utf8")
        .replaceAll(folder, "FOLDER")
        .replace(" --concurrency 32", "")
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
        .replaceAll(/\| [\d.]+ s \|/g, "| SECONDS |")
        .replaceAll(/\([\d,]+\/s\)/g, "(RATE)"),
    );
    expect(other).toBe(one);
  });
});
