// @ts-check
/**
 * Stands between fusecheck and a server that it started, so that the server never outlives it: whatever ends fusecheck,
 * kill -9 included, closes this process's standard input, and that ends the server's whole process group.
 *
 * Plain JavaScript, because it has to start in a moment both from the sources and from the built program. Reads one line
 * of JSON (`WatchdogOrder` in supervise.ts), writes lines of JSON (`WatchdogReport` there).
 */
import { execFileSync, spawn } from "node:child_process";
import { openSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 50;

/** What even SIGKILL does not end by then hangs in the kernel, as a broken GPU driver makes it. */
const KILL_WAIT_MS = 30_000;

/** @type {{ stopSignal: NodeJS.Signals, graceMs: number }} */
let manner = { stopSignal: "SIGTERM", graceMs: 0 };
/** The server's process group, named by its leader. @type {number | undefined} */
let group;
let ending = false;

/** @param {object} report */
function say(report) {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** @param {{ argv: string[], env: Record<string, string>, cwd: string, logFile: string } & typeof manner} order */
function start({ argv, env, cwd, logFile, stopSignal, graceMs }) {
  manner = { stopSignal, graceMs };
  const [file = "", ...args] = argv;
  const log = openSync(logFile, "a");
  const server = spawn(file, args, { cwd, env, detached: true, stdio: ["ignore", log, log] });
  server.on("error", (error) => {
    if (group !== undefined) return;
    say({ type: "cannot start", code: /** @type {NodeJS.ErrnoException} */ (error).code ?? error.message });
    process.exitCode = 1;
    process.stdin.destroy();
  });
  if (server.pid === undefined) return;
  group = server.pid;
  say({ type: "started", pid: group });
  server.on("exit", (code, signal) => {
    say({ type: "exited", code, signal });
    // A server without its head is of no use; what is left of it would hold the GPU.
    void end();
  });
}

async function end() {
  if (ending) return;
  ending = true;
  const had = members();
  await signalUntilGone(manner.stopSignal, manner.graceMs);
  await signalUntilGone("SIGKILL", KILL_WAIT_MS);
  say({ type: "gone", had, left: members() });
  process.exit(0);
}

/**
 * @param {NodeJS.Signals} signal
 * @param {number} withinMs
 */
async function signalUntilGone(signal, withinMs) {
  // A process that was just forking may hide from one look.
  const gone = async () => members().length === 0 && (await sleep(POLL_MS), members().length === 0);
  if (group === undefined || (await gone())) return;
  try {
    process.kill(-group, signal);
  } catch {
    // Gone in this moment, or of another user by now: seen by the next look.
  }
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; await sleep(POLL_MS)) if (await gone()) return;
}

/** The group's living processes; zombies, which nobody may ever reap in a container, are none. @returns {number[]} */
function members() {
  if (group === undefined) return [];
  try {
    process.kill(-group, 0);
  } catch {
    return [];
  }
  return (process.platform === "linux" ? fromProc() : fromPs())
    .filter((each) => each.group === group && !/^[ZX]/.test(each.state))
    .map(({ pid }) => pid);
}

/** @typedef {{ pid: number, group: number, state: string }} Listed */

/** @returns {Listed[]} */
function fromProc() {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      // The program's name stands in parentheses and may hold anything, so what follows is counted from its end.
      const [state = "", , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [{ pid: Number(name), group: Number(processGroup), state }];
    } catch {
      return [];
    }
  });
}

/** @returns {Listed[]} */
function fromPs() {
  const listed = execFileSync("ps", ["-A", "-o", "pid=,pgid=,stat="], { encoding: "utf8", maxBuffer: 2 ** 24 });
  return listed.split("\n").flatMap((line) => {
    const [pid, processGroup, state = ""] = line.trim().split(/\s+/);
    return state === "" ? [] : [{ pid: Number(pid), group: Number(processGroup), state }];
  });
}

// Whoever read the reports may be gone; that must not keep this process from its work.
process.stdout.on("error", () => {});
for (const signal of /** @type {const} */ (["SIGTERM", "SIGINT", "SIGHUP"])) process.on(signal, () => void end());
const lines = createInterface({ input: process.stdin });
lines.once("line", (line) => start(JSON.parse(line)));
lines.once("close", () => void end());
