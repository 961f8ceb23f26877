import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { download } from "../../../tasks/data/download.ts";

const CONTENT = '{"question": "1 + 1?", "answer": "#### 2"}\n'.repeat(5000);
const FILE = {
  name: "test.jsonl",
  sha256: createHash("sha256").update(CONTENT).digest("hex"),
  bytes: CONTENT.length,
  rows: 5000,
};

let folder: string;
let server: Server | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-download-"));
});

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  const listening = createServer(listener);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/test.jsonl`;
}

describe("download", () => {
  it("keeps the published file, in a folder that it makes", async () => {
    const url = await serve((_, response) => response.end(CONTENT));
    const path = join(folder, "a", "b", "test.jsonl");
    await download({ url, path, file: FILE });
    expect(await readFile(path, "utf8")).toBe(CONTENT);
    expect(await readdir(join(folder, "a", "b"))).toEqual(["test.jsonl"]);
  });

  it("may run twice at once", async () => {
    const url = await serve((_, response) => response.end(CONTENT));
    const path = join(folder, "test.jsonl");
    await Promise.all([download({ url, path, file: FILE }), download({ url, path, file: FILE })]);
    expect(await readFile(path, "utf8")).toBe(CONTENT);
    expect(await readdir(folder)).toEqual(["test.jsonl"]);
  });

  it.each<[string, RequestListener, RegExp, { idleMs?: number; totalMs?: number }?]>([
    ["the server has no such file", (_, response) => response.writeHead(404).end("no"), /answered 404/],
    [
      "the file is another one",
      (_, response) => response.end(CONTENT.replace("2", "3")),
      /not the published file: SHA-256/,
    ],
    ["the file ends early", (_, response) => response.end(CONTENT.slice(0, 999)), /ended after 999 of/],
    ["the file goes on", (_, response) => response.end(`${CONTENT} `), /longer than the published/],
    [
      "the connection breaks",
      (_, response) => {
        response.writeHead(200, { "content-length": CONTENT.length });
        response.write(CONTENT.slice(0, 1000), () => response.destroy());
      },
      /./,
    ],
    ["the server accepts and says nothing", () => undefined, /sent nothing for 0\.2 s/, { idleMs: 200 }],
    [
      "the server stops in the middle",
      (_, response) => {
        response.writeHead(200, { "content-length": CONTENT.length });
        response.write(CONTENT.slice(0, 1000));
      },
      /sent nothing for 0\.2 s/,
      { idleMs: 200 },
    ],
    [
      "the server drips",
      (_, response) => {
        response.writeHead(200, { "content-length": CONTENT.length });
        const drip = setInterval(() => response.write("{"), 50);
        response.on("close", () => clearInterval(drip));
      },
      /took more than 0\.5 s/,
      { totalMs: 500 },
    ],
  ])("leaves nothing behind when %s", async (_, listener, message, limits) => {
    const url = await serve(listener);
    const trying = download({ url, path: join(folder, "test.jsonl"), file: FILE, ...limits });
    await expect(trying).rejects.toThrow(message);
    await expect(trying).rejects.toHaveProperty("name", "DownloadFailure");
    expect(await readdir(folder)).toEqual([]);
  });

  it("says why when nobody listens", async () => {
    const url = await serve((_, response) => response.end());
    await new Promise((resolve) => server!.close(resolve));
    await expect(download({ url, path: join(folder, "test.jsonl"), file: FILE })).rejects.toThrow(/ECONNREFUSED/);
  });

  it("says why when the cache cannot be written", async () => {
    const path = join(import.meta.filename, "test.jsonl");
    await expect(download({ url: "http://127.0.0.1:9/", path, file: FILE })).rejects.toThrow(
      /cannot write .*download\.test\.ts/,
    );
  });
});
