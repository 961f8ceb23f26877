/** `eval` of servers that it starts itself, the built `fusecheck serve`; and what is left of them, which is nothing. */
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { findings } from "../comparison/replayed.ts";
import type { Comparison } from "../../reports/comparison.ts";
import type { RunRecord } from "../../reports/run-record.ts";
import { fileOf, filesOf, jsonOf, linesOf, programPath, run, start, temporaryFolder, until } from "./program.ts";
import type { ProgramRun, StartOptions } from "./program.ts";
import { launched, processes } from "./serving.ts";

const ASKED = "--task gsm_synth --fused --limit 6 --num-fewshot 1 --max-tokens 32 --concurrency 2".split(" ");
const VARIANTS = ["baseline", "fused"] as const;

const parent = temporaryFolder();

interface Job {
  /** Stands in the command lines of its servers and nowhere else. */
  readonly name: string;
  readonly folder: string;
  readonly args: readonly string[];
}

/** Of the run's own servers no one is left when the test ends. */
function job(more: readonly string[] = ["--fused-args=--fused"]): Job {
  const name = `m-${randomUUID()}`;
  const folder = join(parent, name);
  const launch = `"${process.execPath}" "${programPath()}" serve --port {port} --served-model-name ${name}`;
  onTestFinished(() => {
    for (const pid of launched(name)) process.kill(pid, "SIGKILL");
  });
  return { name, folder, args: ["eval", ...ASKED, "--launch", launch, ...more, "--output", folder] };
}

const journal = (folder: string, variant: string): string[] => linesOf(join(folder, variant, "completions.jsonl"));

let undisturbed: Job & { readonly ended: ProgramRun; readonly mostAtOnce: number };

/** How many servers ran at the same time, seen from outside. */
async function watched({ name, args }: Job, options: StartOptions = {}): Promise<{ ended: ProgramRun; most: number }> {
  const { ended } = start(args, options);
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, launched(name).length)), 200);
  const result = await ended;
  clearInterval(timer);
  return { ended: result, most };
}

beforeAll(async () => {
  const name = `m-${randomUUID()}`;
  const folder = join(parent, "undisturbed");
  const launch = `"${process.execPath}" "${programPath()}" serve --port {port} --served-model-name ${name}`;
  const args = ["eval", ...ASKED, "--launch", launch, "--fused-args=--fused", "--output", folder];
  const { ended, most } = await watched({ name, folder, args });
  undisturbed = { name, folder, args, ended, mostAtOnce: most };
});

/** Names of models differ from job to job, and so do the settings that hold them. */
function found(folder: string): unknown {
  const { settings: _, ...rest } = findings(jsonOf(join(folder, "comparison.json")) as Comparison) as {
    readonly settings: unknown;
  };
  return JSON.parse(JSON.stringify(rest).replaceAll(/m-[\da-f-]{36}/g, "MODEL"));
}

function samples(folder: string): string[] {
  return VARIANTS.map((variant) => readFileSync(fileOf(folder, variant, "samples_"), "utf8"));
}

describe("servers that are launched", () => {
  it("one after the other: both are asked, and gone", () => {
    const { ended, folder, name, mostAtOnce } = undisturbed;
    expect([ended.code, ended.stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(mostAtOnce).toBe(1);
    expect(launched(name)).toEqual([]);
    for (const variant of VARIANTS) {
      expect(journal(folder, variant)).toHaveLength(6);
      const log = readFileSync(join(folder, variant, "server.log"), "utf8");
      expect(log).toContain(`routing=${variant === "fused" ? "fused" : "reference"}`);
    }
  });

  it("side by side, with what fusecheck.yaml says, and their keys nowhere", async () => {
    const key = "sk-e2e-abcdef0123456789";
    const { name, folder } = job();
    const config = join(parent, "fusecheck.yaml");
    const command = JSON.stringify([process.execPath, programPath(), "serve", "--port", "{port}"]);
    writeFileSync(
      config,
      `launch: {command: ${command}, args: [--served-model-name, ${name}]}\n` +
        "variants: {fused: {args: [--fused]}}\nparallel: true\ntimeouts: {startup: 60s}\n",
    );
    const args = ["eval", ...ASKED, "--config", config, "--output", folder];
    const shown: string[] = [];
    const timer = setInterval(() => shown.push(...processes().map(({ command: line }) => line)), 300);
    const { ended, most } = await watched(
      { name, folder, args },
      { env: { OPENAI_API_KEY: key, FUSECHECK_API_KEY: key } },
    );
    clearInterval(timer);
    expect([ended.code, most]).toEqual([0, 2]);
    expect(samples(folder)).toEqual(samples(undisturbed.folder));
    expect(found(folder)).toEqual(found(undisturbed.folder));
    expect(launched(name)).toEqual([]);
    expect(shown.some((line) => line.includes(name))).toBe(true);
    const files = filesOf(folder).map((file) => readFileSync(join(folder, file), "latin1"));
    for (const text of [...shown, ...files, ended.stdout, ended.stderr]) expect(text).not.toContain(key);
  });
});

describe("a server that dies in mid-run", () => {
  it("ends the run with 3 and its log's last lines; the same command finishes it", async () => {
    const { name, folder, args } = job();
    const { ended } = start(args);
    await until(() => journal(folder, "baseline").length > 0);
    const [server, ...others] = launched(name);
    expect(others).toEqual([]);
    process.kill(server as number, "SIGKILL");
    const killedAt = performance.now();
    const { code, stdout, stderr } = await ended;
    expect(performance.now() - killedAt).toBeLessThan(30_000);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^fusecheck: the server died \(SIGKILL\); the last lines of its log \(/m);
    expect(stderr).toMatch(new RegExp(`^ {2}ready http://127\\.0\\.0\\.1:\\d+/v1 model=${name}`, "m"));
    expect(stderr).toMatch(/; to go on where it stopped: fusecheck eval /);
    expect((jsonOf(join(folder, "run.json")) as RunRecord).status).toBe("interrupted");
    expect(launched(name)).toEqual([]);
    const kept = journal(folder, "baseline");
    expect(kept.join("\n")).not.toContain('"failed"');
    expect((await run(args)).code).toBe(0);
    expect(journal(folder, "baseline").slice(0, kept.length)).toEqual(kept);
    expect(samples(folder)).toEqual(samples(undisturbed.folder));
    expect(found(folder)).toEqual(found(undisturbed.folder));
  });
});

describe("a launch that fails", () => {
  it("holds no run: the command may be put right and given the same folder", async () => {
    const { name, folder, args } = job();
    const wrong = args.map((arg) => arg.replace(" serve ", " sreve "));
    const failed = await run(wrong);
    expect([failed.code, failed.stdout]).toEqual([3, ""]);
    expect(readFileSync(join(folder, "baseline", "server.log"), "utf8")).toContain("sreve");
    const { code, stderr } = await run(args);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining("holds another run")]);
    expect(samples(folder)).toEqual(samples(undisturbed.folder));
    expect(launched(name)).toEqual([]);
    // Once there are answers, it is a run, and another way to start it is another run.
    const other = await run(args.map((arg) => arg.replace(" serve ", " serve --max-queue 9 ")));
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining("holds another run: engine.launch")]);
  });
});

describe("nothing is left", () => {
  it("after Ctrl-C in mid-run, which ends it with 130", async () => {
    const { name, folder, args } = job();
    const { child, ended } = start(args);
    await until(() => journal(folder, "baseline").length > 0);
    child.kill("SIGINT");
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^fusecheck: interrupted; to go on where it stopped: fusecheck eval /m);
    expect(launched(name)).toEqual([]);
  });

  it("after Ctrl-C while the server starts", async () => {
    const { name, args } = job();
    const { child, ended } = start(args);
    await until(() => launched(name).length > 0);
    child.kill("SIGINT");
    expect((await ended).code).toBe(130);
    expect(launched(name)).toEqual([]);
  });

  it("after kill -9 of fusecheck and its process group", async () => {
    const { name, folder, args } = job();
    const { child, ended } = start(args);
    await until(() => journal(folder, "baseline").length > 0);
    process.kill(-(child.pid as number), "SIGKILL");
    expect((await ended).signal).toBe("SIGKILL");
    await until(() => launched(name).length === 0);
    expect(launched(name)).toEqual([]);
  });
});

describe("a launch command", () => {
  const evaluate = (command: string, more: readonly string[] = []): Promise<ProgramRun> =>
    run(["eval", ...ASKED, "--launch", command, "--fused-env", "A=1", ...more, "--output", join(parent, randomUUID())]);

  it("of a program that does not exist is the user's to correct", async () => {
    const { code, stdout, stderr } = await evaluate("no-such-server --port {port}");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      /cannot start "no-such-server": there is no such program; install it, or correct the launch/,
    );
  });

  it("without a place for the port is the user's to correct", async () => {
    const { code, stderr } = await evaluate("no-such-server");
    expect(code).toBe(2);
    expect(stderr).toContain("the launch command has no {port}");
  });

  it("that ends at once shows why", async () => {
    const program = `console.error("no GPU found on", {port}); process.exit(5)`;
    const { code, stdout, stderr } = await evaluate(`"${process.execPath}" -e '${program}'`);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(
      /the server died while it started \(exit code 5\); the last lines of its log [^\n]+\n {2}no GPU/,
    );
  });

  it("that never gets ready is given up in time, and ended", async () => {
    const config = join(parent, "never.yaml");
    writeFileSync(config, "timeouts: {startup: 2s, stop: 1s}\n");
    const name = `never-${randomUUID()}`;
    const program = `process.title = "${name}"; setInterval(() => {}, 1000, {port})`;
    const { code, stderr } = await evaluate(`"${process.execPath}" -e '${program}' ${name}`, ["--config", config]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/the server was not ready within 2 s \(\/v1\/models: no connection/);
    expect(processes().filter(({ command }) => command.includes(name))).toEqual([]);
  });
});
