import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../errors.ts";

/** What a user can do about an error of the file system, by its code. */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "the disk is full: free some space and run the same command again"],
  ["EDQUOT", "the disk quota is used up: free some space and run the same command again"],
  ["EFBIG", "the file is larger than this system allows: raise the limit and run the same command again"],
  ["EACCES", "permission denied: change its permissions or choose another folder"],
  ["EPERM", "not permitted: change its permissions or choose another folder"],
  ["EROFS", "the file system is read-only: choose another folder"],
  ["ENOTDIR", "a part of the path is a file, not a folder: choose another path"],
  ["EISDIR", "this is a folder, not a file: move it away or choose another path"],
  ["EEXIST", "a file of this name exists: move it away or choose another path"],
  ["ENAMETOOLONG", "the path is too long: choose a shorter one"],
  ["ENOENT", "there is no such place: choose another path"],
  ["EMFILE", "too many files are open: raise the limit (ulimit -n)"],
  ["ELOOP", "its symbolic links form a loop: choose another path"],
]);

/**
 * An error of the file system as one line that names the path and says what to do; any other error as it is.
 *
 * @param doing What was being done, as in "cannot write".
 */
export function fileProblem(error: unknown, path: string, doing: string): unknown {
  const code = errorCode(error);
  const advice = code === undefined ? undefined : ADVICE.get(code);
  return advice === undefined ? error : new UserError(`${doing} ${path}: ${advice} (${code})`, { cause: error });
}

/** Node's code of a system error, such as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * Creates a folder and those above it, as far as they are missing. Not `mkdir` with `recursive`, which in Node 20 never
 * returns where the system says ENOENT for a folder whose parent exists (`/proc/x`).
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && (await isFolder(path))) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || (await isFolder(parent))) throw error;
    await makeFolder(parent);
    await makeFolder(path);
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** A new name beside `path`, of the kind that `removeTemporaryFiles` removes. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
}

const TEMPORARY = /\.(\d+)-[0-9a-f]{8}\.tmp$/;

/** Text is gathered to pieces of this many UTF-16 units before it is written: few system calls, little memory. */
const PIECE = 1 << 16;

/**
 * Writes a whole file or nothing: into a temporary file beside it, flushed to the disk, then renamed over the path.
 *
 * @throws UserError that names the path when the disk is full, permission is missing and the like.
 */
export async function writeFileAtomic(
  path: string,
  text: string | Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, "wx");
    try {
      let piece = "";
      for await (const part of typeof text === "string" ? [text] : text) {
        piece += part;
        if (piece.length < PIECE) continue;
        await file.writeFile(piece);
        piece = "";
      }
      await file.writeFile(piece);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw fileProblem(error, path, "cannot write");
  }
  await syncFolder(dirname(path));
}

/** Makes a rename durable. Windows cannot open a folder, and some file systems cannot flush one: then it is left out. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // The file itself is complete and in its place; only its survival of a power cut in this moment is not promised.
  }
}

/**
 * Removes, in a folder and the folders directly in it, the files of a temporary name, left by a process that was killed.
 * Those of a process that runs are left alone: it may be trying for the folder's lock.
 */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const inner = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
    for (const place of [folder, ...inner]) {
      for (const name of await readdir(place)) {
        const pid = TEMPORARY.exec(name)?.[1];
        if (pid !== undefined && !isRunning(Number(pid))) await unlink(join(place, name));
      }
    }
  } catch (error) {
    throw fileProblem(error, folder, "cannot clear temporary files from");
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to someone else.
    return errorCode(error) === "EPERM";
  }
}
