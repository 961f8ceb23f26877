/** Whatever ends fusecheck, nothing is left of the server that it started: from the sources and as it was built. */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { fakeServer, isAlive, killAll, launch, readPids, temporaryFolder, until } from "./launching.ts";

const PARENT = fileURLToPath(new URL("./parent.mjs", import.meta.url));
const SOURCES = new URL("../../../runners/launch/index.ts", import.meta.url).href;

interface Parent {
  readonly child: ChildProcess;
  readonly printed: () => string;
  readonly pids: () => number[];
  readonly ended: Promise<unknown>;
}

function startParent(library: string, then: string, ...args: readonly string[]): Parent {
  const folder = temporaryFolder();
  const pidFile = join(folder, "pids");
  const command = fakeServer("--pids", pidFile, "--grandchildren", "2", ...args);
  const spec = JSON.stringify({ command, graceMs: 300 });
  const loader = library.endsWith(".ts") ? ["--import", "tsx"] : [];
  const child = spawn(process.execPath, [...loader, PARENT, library, spec, then, join(folder, "log")], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let printed = "";
  child.stdout.on("data", (text: Buffer) => (printed += text.toString()));
  const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
  onTestFinished(() => {
    child.kill("SIGKILL");
    killAll(pidFile);
  });
  return { child, printed: () => printed, pids: () => (existsSync(pidFile) ? readPids(pidFile) : []), ended };
}

function parentOf(pid: number): number {
  if (process.platform !== "linux")
    return Number(execFileSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" }));
  return Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

/** The processes of the server that are still there after some seconds. */
async function left({ pids }: Parent): Promise<number[]> {
  expect(pids()).toHaveLength(3);
  await until(() => !pids().some(isAlive), 15).catch(() => {});
  return pids().filter(isAlive);
}

describe.each([
  ["the sources", () => SOURCES],
  ["the built program", () => pathToFileURL(join(inject("fusecheckPackage"), "dist/runners/launch/index.js")).href],
])("from %s", (_, library) => {
  it("kill -9 of fusecheck leaves nothing, even of a server that ignores SIGTERM", async () => {
    const parent = startParent(library(), "wait", "--ignore-term");
    await until(() => parent.printed().includes("ready"));
    expect(parent.pids().map(isAlive)).toEqual([true, true, true]);
    parent.child.kill("SIGKILL");
    expect(await parent.ended).toBe("SIGKILL");
    expect(await left(parent)).toEqual([]);
  });

  it("nor does kill -9 while the server starts", async () => {
    const parent = startParent(library(), "wait", "--start-ms", "600000");
    await until(() => parent.pids().length === 3 && parent.printed().includes("starting"));
    parent.child.kill("SIGKILL");
    expect(await left(parent)).toEqual([]);
  });
});

describe("nothing is left", () => {
  it("after kill -9 of fusecheck's whole process group", async () => {
    const parent = startParent(SOURCES, "wait");
    await until(() => parent.printed().includes("ready"));
    process.kill(-(parent.child.pid as number), "SIGKILL");
    await parent.ended;
    expect(await left(parent)).toEqual([]);
  });

  it("after Ctrl-C, which a terminal sends to the whole group", async () => {
    const parent = startParent(SOURCES, "wait");
    await until(() => parent.printed().includes("ready"));
    process.kill(-(parent.child.pid as number), "SIGINT");
    expect(await parent.ended).toBe("SIGINT");
    expect(await left(parent)).toEqual([]);
  });

  it.each([
    ["exit", 3],
    ["throw", 1],
    ["forget", 0],
  ])("after a program that ends without a stop: %s", async (then, code) => {
    const parent = startParent(SOURCES, then);
    expect(await parent.ended).toBe(code);
    expect(await left(parent)).toEqual([]);
  });

  it("after kill -9 of the watchdog, which fusecheck sees", async () => {
    const { launching, pids } = launch(["--grandchildren", "2"]);
    const server = await launching;
    process.kill(parentOf(server.pid), "SIGKILL");
    expect((await server.died).message).toContain("its watchdog was killed");
    await until(() => !pids().some(isAlive));
    expect(await server.stop()).toEqual({ pids: [], left: [] });
  });

  it("after SIGTERM of the watchdog", async () => {
    const { launching, pids } = launch(["--grandchildren", "2"]);
    const server = await launching;
    process.kill(parentOf(server.pid), "SIGTERM");
    await server.died;
    await until(() => !pids().some(isAlive));
    expect(pids()).toHaveLength(3);
  });
});
