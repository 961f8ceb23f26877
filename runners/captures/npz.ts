/**
 * `.npz`: a zip archive of `.npy` arrays. Arrays that are stored as they are (np.savez) are read where they lie;
 * compressed ones are unpacked into a file without a name, never into memory, and never beyond the size that the
 * archive announces.
 */
import { closeSync } from "node:fs";
import { fromFd } from "yauzl";
import type { Entry, ZipFile } from "yauzl";
import { UserError } from "../../errors.ts";
import { quote } from "../../engine/safetensors-header.ts";
import { openScratch, writeFully } from "./file-bytes.ts";
import type { OpenedFile, ScratchFile } from "./file-bytes.ts";
import type { NpyPlace } from "./npy-file.ts";

export interface Npz {
  /** By name, without `.npy`. */
  readonly arrays: ReadonlyMap<string, NpyPlace>;
  readonly close: () => void;
}

/** More than a capture has arrays. */
const MAX_MEMBERS = 64;

/** Of one array, unpacked: eight times what 10^9 ids take as 64-bit integers. A small archive may claim far more. */
const MAX_UNPACKED_BYTES = 2 ** 36;

/** Takes the file over: it is closed with the result. */
export async function openNpz(path: string, { fd, bytes }: OpenedFile): Promise<Npz> {
  const fail = (reason: string, cause?: unknown): UserError =>
    new UserError(`${path} is not a usable .npz archive: ${reason}`, { cause });
  const scratch: ScratchFile[] = [];
  const zip = await openZip(fd, fail).catch((error: unknown) => {
    closeSync(fd);
    throw error;
  });
  const close = (): void => {
    for (const file of scratch) file.close();
    zip.close();
  };
  try {
    if (zip.entryCount > MAX_MEMBERS) throw fail(`it has ${zip.entryCount} members, more than a capture's arrays`);
    const arrays = new Map<string, NpyPlace>();
    for await (const entry of entriesOf(zip, fail)) {
      const name = entry.fileName;
      // torch.save writes a zip, too.
      if (/(?:^|\/)data\.pkl$/.test(name)) throw fail("it is a torch archive");
      if (!/^\w{1,40}\.npy$/.test(name)) throw fail(`its member ${quote(name)} is no array of a capture`);
      const member = name.slice(0, -".npy".length);
      if (arrays.has(member)) throw fail(`it has ${quote(member)} twice`);
      const where = `${path}, array ${quote(member)}`;
      if (entry.isEncrypted()) throw fail(`its member ${quote(name)} is encrypted`);
      const { uncompressedSize: size } = entry;
      if (entry.compressionMethod === 0) {
        const { fileDataStart: begin } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
        if (begin + size > bytes) throw fail(`its member ${quote(name)} lies outside of the file (truncated?)`);
        arrays.set(member, { fd, where, begin, bytes: size });
      } else {
        if (size > MAX_UNPACKED_BYTES)
          throw fail(`its member ${quote(name)} claims ${size} bytes; at most ${MAX_UNPACKED_BYTES} are unpacked`);
        const file = openScratch();
        scratch.push(file);
        await unpack(zip, entry, file, fail);
        arrays.set(member, { fd: file.fd, where, begin: 0, bytes: size });
      }
    }
    return { arrays, close };
  } catch (error) {
    close();
    throw error instanceof UserError ? error : fail(error instanceof Error ? error.message : String(error), error);
  }
}

type Fail = (reason: string, cause?: unknown) => UserError;

function openZip(fd: number, fail: Fail): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    fromFd(
      fd,
      { lazyEntries: true, autoClose: false, validateEntrySizes: true, strictFileNames: true },
      (error, zip) => {
        if (error === null) resolve(zip);
        else reject(fail(error.message, error));
      },
    );
  });
}

async function* entriesOf(zip: ZipFile, fail: Fail): AsyncGenerator<Entry> {
  try {
    yield* zip.eachEntry();
  } catch (error) {
    throw error instanceof UserError ? error : fail(error instanceof Error ? error.message : String(error), error);
  }
}

async function unpack(zip: ZipFile, entry: Entry, { fd }: ScratchFile, fail: Fail): Promise<void> {
  let done = 0;
  for await (const chunk of await zip.openReadStreamPromise(entry)) {
    const bytes = chunk as Uint8Array;
    if (done + bytes.length > entry.uncompressedSize)
      throw fail(`its member ${quote(entry.fileName)} is longer than it says`);
    writeFully(fd, done, bytes);
    done += bytes.length;
  }
  if (done !== entry.uncompressedSize) throw fail(`its member ${quote(entry.fileName)} is shorter than it says`);
}
