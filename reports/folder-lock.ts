import { link, open, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { errorCode, fileProblem, temporaryName } from "./files.ts";

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** When the process started, in the kernel's ticks since boot; tells a reused process id from the owner. Linux only. */
  readonly started: string | null;
}

/** A lock that is held; release it once. */
export interface FolderLock {
  release(): Promise<void>;
}

/** Two processes that find the same dead owner take turns; more rounds than this mean that something else is wrong. */
const ATTEMPTS = 100;

/** Between two rounds: what another process does in the meantime is done in a fraction of this. */
const ROUND_MS = 10;

/**
 * Takes the lock file at `path`, so that no second process writes into the folder. The lock of a process that is gone
 * (kill -9) is taken over; that of a process on another machine cannot be judged and counts as held.
 *
 * @throws UserError that names the owner when the lock is held.
 */
export async function lockFolder(path: string): Promise<FolderLock> {
  const me: Owner = { pid: process.pid, host: hostname(), started: await startOf(process.pid) };
  const text = `${JSON.stringify(me)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (await createWhole(path, text)) return { release: () => release(path, text) };
    const found = await readFile(path, "utf8").catch(undefinedIfMissing);
    if (found === undefined) continue;
    const owner = parseOwner(found);
    if (owner !== undefined && (await isAlive(owner, me))) {
      const where = owner.host === me.host ? "" : ` on ${owner.host}`;
      throw new UserError(
        `${path}: process ${owner.pid}${where} is using this folder: wait for it, choose another --output, ` +
          `or delete this file if that process is gone`,
      );
    }
    if (await takeOver(path, found, text, me)) return { release: () => release(path, text) };
    await sleep(ROUND_MS);
  }
  throw new UserError(`${path}: cannot be taken: delete this file if no fusecheck is running on the folder`);
}

/** Creates the file with its content in one step (a link to a file that is written already): nobody sees it half-written. */
async function createWhole(path: string, text: string): Promise<boolean> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
    await link(temporary, path);
    return true;
  } catch (error) {
    // ENOENT: the process that holds the lock cleared the temporary file away.
    if (errorCode(error) === "EEXIST" || errorCode(error) === "ENOENT") return false;
    throw fileProblem(error, path, "cannot write");
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

/**
 * Puts this process's lock in the place of a dead owner's. Only who has made the claim file may do that, so that of two
 * processes that find the same dead owner the slower one does not replace the quicker one's lock.
 *
 * @returns false where somebody else is at it, or was quicker
 */
async function takeOver(path: string, stale: string, text: string, me: Owner): Promise<boolean> {
  const claim = `${path}.claim.tmp`;
  if (!(await createWhole(claim, text))) {
    const claimed = await readFile(claim, "utf8").catch(undefinedIfMissing);
    const owner = claimed === undefined ? undefined : parseOwner(claimed);
    // Left by a process that was killed in between.
    if (owner === undefined || !(await isAlive(owner, me))) await unlink(claim).catch(undefinedIfMissing);
    return false;
  }
  try {
    if ((await readFile(path, "utf8").catch(undefinedIfMissing)) !== stale) return false;
    await replaceWhole(path, text);
    return true;
  } finally {
    await unlink(claim).catch(undefinedIfMissing);
  }
}

async function replaceWhole(path: string, text: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    throw fileProblem(error, path, "cannot write");
  }
}

async function release(path: string, text: string): Promise<void> {
  const found = await readFile(path, "utf8").catch(undefinedIfMissing);
  if (found === text) await unlink(path).catch(undefinedIfMissing);
}

/** A lock file that is not readable as one was left by a crash of the machine: it has no owner. */
function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Owner>;
    if (!Number.isSafeInteger(pid) || pid! <= 0 || typeof host !== "string") return undefined;
    return { pid: pid!, host, started: typeof started === "string" ? started : null };
  } catch {
    return undefined;
  }
}

async function isAlive(owner: Owner, me: Owner): Promise<boolean> {
  if (owner.host !== me.host) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    if (errorCode(error) !== "EPERM") return false;
  }
  const [state, ...fields] = await statOf(owner.pid);
  // A zombie has ended; only its parent has not asked yet how.
  if (state === "Z") return false;
  const started = fields[STARTED] ?? null;
  return owner.started === null || started === null || started === owner.started;
}

/** Of the fields behind the state: when the process started (field 22 in proc(5)). */
const STARTED = 18;

/** /proc/<pid>/stat from its third field, the state, on; the second, the program's name, may itself hold spaces and brackets. */
async function statOf(pid: number): Promise<readonly string[]> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

async function startOf(pid: number): Promise<string | null> {
  return (await statOf(pid))[STARTED + 1] ?? null;
}

function undefinedIfMissing(error: unknown): undefined {
  if (errorCode(error) !== "ENOENT") throw error;
  return undefined;
}
