import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UserError } from "../../../errors.ts";
import { cacheRoot } from "../../../tasks/data/data-source.ts";
import { getTask } from "../../../tasks/index.ts";
import { HAS_SHARED, sharedPath } from "../shared.ts";

const ROW = JSON.stringify({ question: "1 + 1?", answer: "#### 2" });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-gsm8k-"));
});

afterEach(() => rm(folder, { recursive: true }));

function refused(): Promise<never> {
  throw new Error("the network was asked");
}

async function given(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

describe("--data", () => {
  it("takes files that are not the published ones, and says so", async () => {
    const dir = await given({ "test.jsonl": `${ROW}\n${ROW}\n`, "train.jsonl": `${ROW}\n` });
    const data = await getTask("gsm8k").load({ dir, fetch: refused });
    expect([data.total, data.fewshotPool.size]).toEqual([2, 1]);
    expect(data.doc(1)).toEqual({ question: "1 + 1?", answer: "#### 2" });
    expect(data.doc(2)).toBeUndefined();
    expect(data.provenance).toMatchObject({ source: "given", path: dir, published: false });
    expect(data.provenance.note).toMatch(/not the published GSM8K: train\.jsonl and test\.jsonl/);
    expect(data.provenance.files.map(({ name, rows }) => [name, rows])).toEqual([
      ["train.jsonl", 1],
      ["test.jsonl", 2],
    ]);
  });

  it("needs no train split where a task has its own examples, or none", async () => {
    const dir = await given({ "test.jsonl": ROW });
    const sizes = ["gsm8k_cot", "gsm8k_cot_llama", "gsm8k_cot_zeroshot"].map(async (name) => {
      const data = await getTask(name).load({ dir });
      return data.fewshotPool.size;
    });
    expect(await Promise.all(sizes)).toEqual([8, 8, 0]);
  });

  it.each([
    ["", /test\.jsonl holds no docs/],
    ["\n\n", /test\.jsonl holds no docs/],
    [`${ROW}\n{"question": "x"}\n`, /test\.jsonl, line 2: expected .*"question": text.*, found no "answer"/],
    [`${ROW}\n\n{"question": "x", "answer": 5}`, /test\.jsonl, line 3: .*"answer" that is not text/],
    ["[]", /line 1: .*a list/],
    ["null", /line 1: .*null/],
    ["5", /line 1: .*a number/],
    ['{"__proto__": {"question": "x", "answer": "y"}}', /line 1: .*no "question" and no "answer"/],
    ["{", /test\.jsonl, line 1: not JSON/],
  ])("refuses %j with file, line and what was expected", async (content, message) => {
    const dir = await given({ "test.jsonl": content, "train.jsonl": ROW });
    const loading = getTask("gsm8k").load({ dir });
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(UserError);
  });

  it("refuses a folder that is missing, no folder, or lacks a file", async () => {
    const task = getTask("gsm8k");
    await expect(task.load({ dir: join(folder, "none") })).rejects.toThrow(/--data .*none: there is no such file/);
    const dir = await given({ "test.jsonl": ROW });
    await expect(task.load({ dir: join(dir, "test.jsonl") })).rejects.toThrow(/it is not a folder/);
    await expect(task.load({ dir })).rejects.toThrow(/cannot read .*train\.jsonl: there is no such file/);
  });
});

describe("the cache", () => {
  it("lies where the user says, else where the system keeps caches", () => {
    expect(cacheRoot({ cacheDir: "/c", env: { FUSECHECK_CACHE: "/own" } })).toBe("/c");
    expect(cacheRoot({ env: { FUSECHECK_CACHE: "/own", XDG_CACHE_HOME: "/xdg" } })).toBe("/own");
    expect(cacheRoot({ env: { FUSECHECK_CACHE: "", XDG_CACHE_HOME: "/xdg" } })).toBe("/xdg/fusecheck");
    expect(cacheRoot({ env: { XDG_CACHE_HOME: "not/absolute" } })).toMatch(/\.cache[/\\]fusecheck$/);
  });

  it("refuses a file that is not the published one, without asking the network", async () => {
    await mkdir(join(folder, "gsm8k"));
    await writeFile(join(folder, "gsm8k", "test.jsonl"), ROW);
    const loading = getTask("gsm8k_cot").load({ env: { FUSECHECK_CACHE: folder }, fetch: refused });
    await expect(loading).rejects.toThrow(
      /test\.jsonl is not the published file \(SHA-256 [0-9a-f]{64}, expected 3730d312/,
    );
  });

  it("without network names all ways out in one line", async () => {
    const loading = getTask("gsm8k").load({ cacheDir: folder, baseUrl: "http://127.0.0.1:9/", env: {} });
    await expect(loading).rejects.toThrow(UserError);
    const message = await loading.then(String, (error: Error) => error.message);
    for (const part of ["--data", join(folder, "gsm8k"), "network", "gsm_synth", "http://127.0.0.1:9/test.jsonl"]) {
      expect(message).toContain(part);
    }
    expect(message).not.toContain("\n");
  });
});

describe.skipIf(!HAS_SHARED)("the published GSM8K (needs ../shared)", () => {
  let server: Server;
  let baseUrl: string;
  let asked: string[];

  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url!);
      readFile(sharedPath(`gsm8k${request.url!}`)).then(
        (content) => response.end(content),
        () => response.writeHead(404).end(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it("is downloaded once, and read from the cache from then on", async () => {
    const source = { env: { FUSECHECK_CACHE: folder, FUSECHECK_GSM8K_URL: baseUrl } };
    const first = await getTask("gsm8k").load(source);
    const second = await getTask("gsm8k").load({ ...source, fetch: refused });
    expect(asked.toSorted()).toEqual(["/test.jsonl", "/train.jsonl"]);
    expect(first.provenance).toMatchObject({ source: "download", published: true });
    expect(second.provenance).toEqual({
      source: "cache",
      path: join(folder, "gsm8k"),
      published: true,
      files: [
        { name: "train.jsonl", rows: 7473, sha256: "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465" },
        { name: "test.jsonl", rows: 1319, sha256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14" },
      ],
    });
    expect(await readdir(join(folder, "gsm8k"))).toEqual(["test.jsonl", "train.jsonl"]);
  });

  it("is known as the published one where the user gives it", async () => {
    const { provenance } = await getTask("gsm8k").load({ dir: sharedPath("gsm8k") });
    expect([provenance.published, provenance.note]).toEqual([true, undefined]);
  });

  it("of another content is not kept", async () => {
    server.removeAllListeners("request");
    server.on("request", (_, response) => response.end(ROW));
    const loading = getTask("gsm8k").load({ cacheDir: folder, baseUrl });
    await expect(loading).rejects.toThrow(/could not be downloaded .* \(it ended after \d+ of 749738 bytes\)/);
    expect(await readdir(join(folder, "gsm8k"))).toEqual([]);
  });

  it("is told from GSM8K-Platinum, which the user must bring", async () => {
    const task = getTask("gsm8k_platinum");
    await expect(task.load({ cacheDir: folder })).rejects.toThrow(/madrylab\/gsm8k-platinum.*--data/);
    await expect(task.load({ dir: folder })).rejects.toThrow(/holds neither platinum_test\.jsonl nor test\.jsonl/);
    await copyFile(sharedPath("gsm8k/test.jsonl"), join(folder, "test.jsonl"));
    const standIn = await task.load({ dir: folder });
    expect(standIn.provenance).toMatchObject({
      published: false,
      note: expect.stringContaining("GSM8K's own test split"),
    });
    await writeFile(
      join(folder, "platinum_test.jsonl"),
      `{"question":"q","answer":"#### 1","cleaning_status":"consensus"}`,
    );
    const platinum = await task.load({ dir: folder });
    expect([...platinum.docs()]).toEqual([{ question: "q", answer: "#### 1", cleaning_status: "consensus" }]);
    expect(platinum.provenance).toMatchObject({ published: false, files: [{ name: "platinum_test.jsonl", rows: 1 }] });
  });
});
