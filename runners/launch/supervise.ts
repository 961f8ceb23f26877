/** A process that cannot outlive this one, through the watchdog. */
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { EngineError } from "../../errors.ts";

/** What the watchdog is told, once. It travels through a pipe: no process list shows the environment. */
export interface WatchdogOrder {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Standard output and standard error are appended to it. */
  readonly logFile: string;
  readonly stopSignal: NodeJS.Signals;
  /** From `stopSignal` to SIGKILL. */
  readonly graceMs: number;
}

type WatchdogReport =
  | { readonly type: "started"; readonly pid: number }
  | { readonly type: "cannot start"; readonly code: string }
  | { readonly type: "exited"; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly type: "gone"; readonly had: readonly number[]; readonly left: readonly number[] };

export interface Supervised {
  /** Of the process, which heads a process group (and a session) of its own. */
  readonly pid: number;
  /** Resolves when the process ends, asked or not, with words for it: `exit code 1`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends the process's group and waits until it is gone. Can be called any number of times. */
  stop(): Promise<Stopped>;
}

export interface Stopped {
  /** The group's processes when the stop began. */
  readonly pids: readonly number[];
  /** Processes that not even SIGKILL has ended. */
  readonly left: readonly number[];
}

/** The process could not be started at all. `code` is the operating system's, such as `ENOENT`. */
export class CannotStartError extends EngineError {
  override name = "CannotStartError";
  readonly code: string;

  constructor(code: string) {
    super(`cannot start: ${code}`);
    this.code = code;
  }
}

/** The same file beside the sources and beside the built program. */
const WATCHDOG = fileURLToPath(new URL("./watchdog.mjs", import.meta.url));

/** @throws CannotStartError */
export async function supervise(order: WatchdogOrder): Promise<Supervised> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  // A session of its own: what a terminal sends to fusecheck's group, or kill -9 of that group, must not reach it.
  const watchdog = spawn(process.execPath, [WATCHDOG], { detached: true, env, stdio: ["pipe", "pipe", "ignore"] });
  const reports = new Reports(watchdog);
  watchdog.stdin.write(`${JSON.stringify(order)}\n`);
  const first = await reports.first;
  if (typeof first === "string") throw new CannotStartError(first);
  // A server that was never stopped must not keep fusecheck from ending, which is what stops it.
  hold(watchdog, "unref");
  let stopping: Promise<Stopped> | undefined;
  const stop = async (): Promise<Stopped> => {
    hold(watchdog, "ref");
    watchdog.stdin.end();
    return (await reports.gone) ?? killGroup(first);
  };
  return { pid: first, ended: reports.ended, stop: () => (stopping ??= stop()) };
}

type Watchdog = ChildProcessByStdio<Writable, Readable, null>;

/** A child's pipes are sockets, which its type does not say. */
function hold(watchdog: Watchdog, how: "ref" | "unref"): void {
  for (const each of [watchdog, watchdog.stdin as Socket, watchdog.stdout as Socket]) each[how]();
}

/** What the watchdog says, as promises. None of them rejects. */
class Reports {
  /** The process id, or why there is none. */
  readonly first: Promise<number | string>;
  readonly ended: Promise<string>;
  /** Undefined: the watchdog was itself killed. */
  readonly gone: Promise<Stopped | undefined>;

  constructor(watchdog: Watchdog) {
    const first = settled<number | string>();
    const ended = settled<string>();
    const gone = settled<Stopped | undefined>();
    [this.first, this.ended, this.gone] = [first.promise, ended.promise, gone.promise];
    /** Of a group that may still be there. */
    let pid: number | undefined;
    // It may be gone before it has read its order.
    watchdog.stdin.on("error", () => {});
    watchdog.on("error", (error) => first.resolve(error.message));
    createInterface({ input: watchdog.stdout }).on("line", (line) => {
      const report = JSON.parse(line) as WatchdogReport;
      if (report.type === "started") first.resolve((pid = report.pid));
      else if (report.type === "cannot start") first.resolve(report.code);
      else if (report.type === "exited") ended.resolve(report.signal ?? `exit code ${report.code}`);
      else {
        pid = undefined;
        gone.resolve({ pids: report.had, left: report.left });
      }
    });
    watchdog.on("close", () => {
      first.resolve("its watchdog died");
      // The watchdog was killed: its work falls to this process, which is still there.
      if (pid !== undefined) killGroup(pid);
      ended.resolve("its watchdog was killed");
      gone.resolve(undefined);
    });
  }
}

function killGroup(pid: number): Stopped {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nothing is left of it.
  }
  return { pids: [], left: [] };
}

function settled<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((yes) => (resolve = yes));
  return { promise, resolve };
}
