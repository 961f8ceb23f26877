/** Captures from servers that fusecheck starts: never in what answers, and nothing is left of either start. */
import { randomUUID } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { jsonOf, linesOf, programPath, run, start, temporaryFolder, until } from "./program.ts";
import { launched, processes } from "./serving.ts";

const DOCS = 3;
const ASKED = `--task gsm_synth --fused --limit ${DOCS} --num-fewshot 1 --max-tokens 16 --concurrency 2`.split(" ");
const SWITCH = "--enable-return-routed-experts";
const VARIANTS = ["baseline", "fused"] as const;
type Variant = (typeof VARIANTS)[number];

const parent = temporaryFolder();

interface Job {
  readonly name: string;
  readonly folder: string;
  readonly args: readonly string[];
}

function job(more: readonly string[] = [], engine = "vllm", words = ""): Job {
  const name = `m-${randomUUID()}`;
  const folder = join(parent, name);
  const launch = `"${process.execPath}" "${programPath()}" serve --port {port} --served-model-name ${name}${words}`;
  onTestFinished(() => {
    for (const pid of launched(name)) process.kill(pid, "SIGKILL");
  });
  const servers = ["--engine", engine, "--launch", launch, "--fused-args=--fused"];
  return { name, folder, args: ["eval", ...ASKED, ...servers, "--capture", MODEL_DIR, ...more, "--output", folder] };
}

const journal = ({ folder }: Job, variant: Variant): string[] => linesOf(join(folder, variant, "completions.jsonl"));
const scored = ({ folder }: Job, variant: Variant): string[] => linesOf(join(folder, variant, "scored.jsonl"));
const isCapturing = (name: string): boolean =>
  processes().some(
    ({ command }) => command.includes(name) && /serve --port \d+/.test(command) && command.includes(SWITCH),
  );
/** How often a variant's server was started. */
const starts = ({ folder }: Job, variant: Variant): number => {
  const log = join(folder, variant, "server.log");
  return existsSync(log) ? readFileSync(log, "utf8").split("starting on port").length - 1 : 0;
};
const comparisonOf = ({ folder }: Job): Comparison => jsonOf(join(folder, "comparison.json")) as Comparison;
const argvOf = ({ folder }: Job, variant: Variant): Record<string, readonly string[]> =>
  (jsonOf(join(folder, "run.json")) as RunRecord).variants[variant]?.engine as Record<string, readonly string[]>;

describe("captures from servers that are launched", () => {
  it.each(["vllm", "sglang"])("as %s: another start than that which answered", async (engine) => {
    const each = job([], engine);
    let [answeredWith, most] = [false, 0];
    const timer = setInterval(() => {
      most = Math.max(most, launched(each.name).length);
      const done = VARIANTS.every((variant) => starts(each, variant) === 0 || journal(each, variant).length === DOCS);
      if (!done && isCapturing(each.name)) answeredWith = true;
    }, 100);
    const { code, stdout, stderr } = await run(each.args);
    clearInterval(timer);
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(comparisonOf(each).parity).toMatchObject({ kind: "judged", routing: { docs: DOCS } });
    expect([answeredWith, most]).toEqual([false, 1]);
    for (const variant of VARIANTS) {
      expect(starts(each, variant)).toBe(2);
      expect(stderr).toContain(`${variant}: its server is started for captures, with ${SWITCH}`);
      const { argv, captured_by: capturedBy } = argvOf(each, variant);
      expect([argv?.includes(SWITCH), capturedBy?.includes(SWITCH)]).toEqual([false, true]);
    }
    expect(stderr).not.toContain("timed answers ran with captures on");
    expect(launched(each.name)).toEqual([]);
  });

  it("whose launch has the switch already: one start serves both, and that is said", async () => {
    const each = job([], "vllm", ` ${SWITCH}`);
    const { code, stderr } = await run(each.args);
    expect([code, starts(each, "baseline"), starts(each, "fused")]).toEqual([0, 1, 1]);
    expect(stderr).toContain("baseline: warning: timed answers ran with captures on");
    expect(readFileSync(join(each.folder, "report.md"), "utf8")).toContain("timed answers ran with captures on");
    expect(comparisonOf(each).parity.kind).toBe("judged");
  });

  it("are resumed by the starts that are still needed", async () => {
    const each = job();
    const { child, ended } = start(each.args);
    await until(() => isCapturing(each.name) && scored(each, "baseline").length > 0);
    child.kill("SIGINT");
    const { code } = await ended;
    expect([code, launched(each.name)]).toEqual([130, []]);
    expect([starts(each, "baseline"), starts(each, "fused")]).toEqual([2, 0]);
    const answers = journal(each, "baseline");
    const captured = scored(each, "baseline").length;
    expect((await run(each.args)).code).toBe(0);
    // Of what was captured to its end, nothing is started again.
    expect([starts(each, "baseline"), starts(each, "fused")]).toEqual([captured === DOCS ? 2 : 3, 2]);
    expect(journal(each, "baseline")).toEqual(answers);
    expect(comparisonOf(each).parity).toMatchObject({ kind: "judged", routing: { docs: DOCS } });
    const before = VARIANTS.map((variant) => starts(each, variant));
    expect((await run(each.args)).code).toBe(0);
    expect(VARIANTS.map((variant) => starts(each, variant))).toEqual(before);
  });

  it("leave nothing behind when fusecheck and its group are killed while they are made", async () => {
    const each = job();
    const { child, ended } = start(each.args);
    await until(() => isCapturing(each.name));
    process.kill(-(child.pid as number), "SIGKILL");
    expect((await ended).signal).toBe("SIGKILL");
    await until(() => launched(each.name).length === 0);
    expect(launched(each.name)).toEqual([]);
  });

  it("end the run with 3 when the server dies over them, with all answers kept", async () => {
    const each = job();
    const { ended } = start(each.args);
    await until(() => isCapturing(each.name));
    for (const pid of launched(each.name)) process.kill(pid, "SIGKILL");
    const { code, stderr } = await ended;
    expect([code, launched(each.name), journal(each, "baseline").length]).toEqual([3, [], DOCS]);
    expect(stderr).toMatch(/the server died.*to go on where it stopped: fusecheck eval /s);
  });

  it("side by side: each variant's own server is started anew", async () => {
    const each = job(["--parallel-variants"]);
    const { code } = await run(each.args);
    expect([code, starts(each, "baseline"), starts(each, "fused")]).toEqual([0, 2, 2]);
    expect(comparisonOf(each).parity.kind).toBe("judged");
    expect(launched(each.name)).toEqual([]);
  });
});
