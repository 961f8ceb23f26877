/** The built program in a process of its own, and the run folders that it leaves. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";

export interface ProgramRun {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningProgram {
  readonly child: ChildProcess;
  readonly ended: Promise<ProgramRun>;
}

export function programPath(): string {
  return join(inject("fusecheckPackage"), "dist/bin/fusecheck.js");
}

export interface StartOptions {
  /** What bash does before it becomes the program, such as setting a limit. */
  readonly shell?: string;
  /** On top of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the program at the head of a process group of its own. */
export function start(args: readonly string[], options: StartOptions = {}): RunningProgram {
  const command = [process.execPath, programPath(), ...args];
  const [file = "", ...rest] =
    options.shell === undefined ? command : ["bash", "-c", `${options.shell}; exec "$@"`, "bash", ...command];
  const env = { ...process.env, ...options.env };
  const child = spawn(file, rest, { stdio: ["ignore", "pipe", "pipe"], detached: true, env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<ProgramRun>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { child, ended };
}

export function run(args: readonly string[], options: StartOptions = {}): Promise<ProgramRun> {
  return start(args, options).ended;
}

/** A folder that is removed after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-e2e-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Waits for something that another process does. */
export async function until(what: () => boolean, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!what()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Whole lines of a file; none where there is no file yet. */
export function linesOf(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
}

export function rowsOf<T>(path: string): T[] {
  return linesOf(path).map((line) => JSON.parse(line) as T);
}

export function jsonOf(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** Every file of a run folder, relative to it. */
export function filesOf(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .toSorted();
}

/** The one file of a variant whose name begins so. */
export function fileOf(folder: string, variant: string, beginning: string): string {
  const [name, ...others] = readdirSync(join(folder, variant)).filter((file) => file.startsWith(beginning));
  if (name === undefined || others.length > 0) throw new Error(`not one file ${beginning}* in ${folder}/${variant}`);
  return join(folder, variant, name);
}
