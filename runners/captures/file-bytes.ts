/** Bytes of an open file, which may be shorter than it was or than it says. */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../errors.ts";

export interface OpenedFile {
  readonly fd: number;
  readonly bytes: number;
}

/** @throws UserError where it is no file that can be read */
export function openForReading(path: string): OpenedFile {
  try {
    // Looked at before it is opened: opening a pipe waits for a writer.
    if (statSync(path).isFile()) {
      const fd = openSync(path, "r");
      return { fd, bytes: fstatSync(fd).size };
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError(`Cannot read ${path}: ${reason}. Check the path and its permissions.`, { cause });
  }
  throw new UserError(`Cannot read ${path}: it is not a file. Give the path of a capture.`);
}

/** @throws UserError where the file ends before `target` is full */
export function readFully(fd: number, where: string, position: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const count = readSync(fd, target, done, target.length - done, position + done);
    if (count === 0) throw new UserError(`${where}: it ended ${target.length - done} bytes early (truncated?)`);
    done += count;
  }
}

/** @throws UserError where the disk is full and the like */
export function writeFully(fd: number, position: number, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
  } catch (cause) {
    throw scratchFault(cause);
  }
}

function scratchFault(cause: unknown): UserError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new UserError(`cannot write to ${tmpdir()}: ${reason}; set TMPDIR to a folder with space`, { cause });
}

/**
 * A file for what does not fit into memory, gone when it is closed. Where the system allows it (all but Windows) it has no
 * name from the start, so that nothing stays behind however the process ends.
 */
export interface ScratchFile {
  readonly fd: number;
  readonly close: () => void;
}

export function openScratch(): ScratchFile {
  try {
    const folder = mkdtempSync(join(tmpdir(), "fusecheck-capture-"));
    const fd = openSync(join(folder, "part"), "wx+", 0o600);
    const named = process.platform === "win32";
    if (!named) rmSync(folder, { recursive: true });
    return {
      fd,
      close: () => {
        closeSync(fd);
        if (named) rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (cause) {
    throw scratchFault(cause);
  }
}
