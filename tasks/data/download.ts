/** Fetches one published file, which is kept only if it is that file, byte for byte. */
import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { writeAtomically } from "./atomic-file.ts";
import { fileReason } from "./file-fault.ts";

/** A file whose content never changes. */
export interface PublishedFile {
  readonly name: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly rows: number;
}

export interface DownloadOptions {
  readonly url: string;
  /** Where the file goes; its folder is made. */
  readonly path: string;
  readonly file: PublishedFile;
  readonly fetch?: typeof fetch | undefined;
  /** Longest wait for a sign of life from the server, in ms. */
  readonly idleMs?: number;
  /** Longest time for the whole file, in ms: a server that drips must not hold a run for ever. */
  readonly totalMs?: number;
}

/** Why a download did not end in the published file; the message is half a sentence. */
export class DownloadFailure extends Error {
  override name = "DownloadFailure";
}

/** @throws DownloadFailure; nothing is then left at `path` or beside it */
export async function download({
  url,
  path,
  file,
  fetch: fetchFile = fetch,
  idleMs = 20_000,
  totalMs = 300_000,
}: DownloadOptions): Promise<void> {
  const watch = new Watch(idleMs, totalMs);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeAtomically(path, async (handle) => {
      const response = await fetchFile(url, { signal: watch.signal });
      if (!response.ok || response.body === null) {
        await response.body?.cancel();
        throw new DownloadFailure(`the server answered ${response.status}`);
      }
      await receive(response.body, file, handle, watch);
    });
  } catch (error) {
    throw error instanceof DownloadFailure
      ? error
      : new DownloadFailure(watch.reason ?? reasonOf(error), { cause: error });
  } finally {
    watch.stop();
  }
}

async function receive(
  body: ReadableStream<Uint8Array>,
  file: PublishedFile,
  handle: FileHandle,
  watch: Watch,
): Promise<void> {
  const hash = createHash("sha256");
  let received = 0;
  for await (const chunk of body) {
    watch.alive();
    received += chunk.length;
    if (received > file.bytes) throw new DownloadFailure(`it is longer than the published ${file.bytes} bytes`);
    hash.update(chunk);
    await handle.appendFile(chunk);
  }
  if (received < file.bytes) throw new DownloadFailure(`it ended after ${received} of ${file.bytes} bytes`);
  const sha256 = hash.digest("hex");
  if (sha256 !== file.sha256) {
    throw new DownloadFailure(`it is not the published file: SHA-256 ${sha256}, expected ${file.sha256}`);
  }
}

/** Aborts a request that shows no sign of life, or takes too long altogether. */
class Watch {
  readonly #controller = new AbortController();
  readonly #idleMs: number;
  readonly #total: NodeJS.Timeout;
  #idle: NodeJS.Timeout;
  reason: string | undefined;

  constructor(idleMs: number, totalMs: number) {
    this.#idleMs = idleMs;
    this.#idle = this.#startIdle();
    this.#total = setTimeout(() => this.#abort(`it took more than ${totalMs / 1000} s`), totalMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  alive(): void {
    clearTimeout(this.#idle);
    this.#idle = this.#startIdle();
  }

  stop(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
  }

  #startIdle(): NodeJS.Timeout {
    return setTimeout(() => this.#abort(`the server sent nothing for ${this.#idleMs / 1000} s`), this.#idleMs);
  }

  #abort(reason: string): void {
    this.reason = reason;
    this.#controller.abort();
  }
}

function reasonOf(error: unknown): string {
  const local = fileReason(error);
  if (local !== undefined && error instanceof Error && "path" in error)
    return `cannot write ${String(error.path)}: ${local}`;
  if (!(error instanceof Error)) return String(error);
  // fetch says no more than "fetch failed"; what happened is in its cause.
  const cause = error.cause;
  if (!(cause instanceof Error)) return error.message;
  return "code" in cause ? `${error.message}: ${String(cause.code)}` : `${error.message}: ${cause.message}`;
}
