/** Writes a file so that its name holds either all of it or what was there before. */
import { randomBytes } from "node:crypto";
import { open, rename, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Opens a file of its own next to `path`, lets `write` fill it, and gives it its name once it is on disk. When anything
 * fails, what was at `path` is untouched and nothing is left behind. Processes that do the same at once do not disturb
 * each other: the last one's file stays.
 */
export async function writeAtomically<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const partial = `${path}.${process.pid}.${randomBytes(6).toString("hex")}.part`;
  const file = await open(partial, "wx");
  try {
    const result = await write(file);
    await file.sync();
    await file.close();
    await rename(partial, path);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    // Closing twice does no harm, and an error in clearing up must not hide the one that matters.
    await file.close().catch(() => undefined);
    await rm(partial, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Puts the new name itself on disk. Some systems cannot open a folder; the file's content is safe there all the same. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r").catch(() => undefined);
  if (folder === undefined) return;
  await folder.sync().catch(() => undefined);
  await folder.close();
}
