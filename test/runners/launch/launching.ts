/** Short ways to launch the fake server and to see what is left of it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { launchServer } from "../../../runners/launch/index.ts";
import type { LaunchedServer, LaunchOptions, ServerSpec } from "../../../runners/launch/index.ts";

const SERVER = fileURLToPath(new URL("./fake-server.mjs", import.meta.url));

export function fakeServer(...args: readonly string[]): string[] {
  return [process.execPath, SERVER, "--port", "{port}", ...args];
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-launch-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Launch {
  readonly launching: Promise<LaunchedServer>;
  readonly logFile: string;
  /** Of the server and its children. */
  readonly pids: () => number[];
}

/** Ends with the test. */
export function launch(
  args: readonly string[],
  spec: Partial<ServerSpec> = {},
  options: Partial<LaunchOptions> = {},
): Launch {
  const folder = temporaryFolder();
  const logFile = join(folder, "server.log");
  const pidFile = join(folder, "pids");
  const launching = launchServer(
    { command: fakeServer("--pids", pidFile, ...args), graceMs: 5000, startupMs: 60_000, ...spec },
    { logFile, ask: { env: {} }, ...options },
  );
  onTestFinished(async () => {
    await launching.then(
      (server) => server.stop(),
      () => undefined,
    );
    killAll(pidFile);
  });
  return { launching, logFile, pids: () => readPids(pidFile) };
}

/** Of a test that has failed, nothing should be left either. */
export function killAll(pidFile: string): void {
  for (const pid of existsSync(pidFile) ? readPids(pidFile).filter(isAlive) : []) process.kill(pid, "SIGKILL");
}

export function readPids(file: string): number[] {
  return JSON.parse(readFileSync(file, "utf8")) as number[];
}

/** Zombies are not: in a container, nobody may ever reap them. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== "linux") return true;
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

export async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error("it did not reject");
    },
    (error: unknown) => error as Error,
  );
}

/** Waits for what another process does. */
export async function until<T>(look: () => T | undefined | false, seconds = 30): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    try {
      const seen = look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${look.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
