import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAtomically } from "../../../tasks/data/atomic-file.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-atomic-"));
});

afterEach(() => rm(folder, { recursive: true }));

describe("writeAtomically", () => {
  it("leaves what was there, and nothing else, when writing fails", async () => {
    const path = join(folder, "file");
    await writeFile(path, "before");
    const failing = writeAtomically(path, async (file) => {
      await file.appendFile("half");
      throw new Error("disk full");
    });
    await expect(failing).rejects.toThrow("disk full");
    expect(await readFile(path, "utf8")).toBe("before");
    expect(await readdir(folder)).toEqual(["file"]);
  });

  it("keeps one whole file when several write at once", async () => {
    const path = join(folder, "file");
    const texts = Array.from({ length: 8 }, (_, i) => `${i}`.repeat(100_000));
    await Promise.all(
      texts.map((text) =>
        writeAtomically(path, async (file) => {
          for (let at = 0; at < text.length; at += 1000) await file.appendFile(text.slice(at, at + 1000));
        }),
      ),
    );
    expect(texts).toContain(await readFile(path, "utf8"));
    expect(await readdir(folder)).toEqual(["file"]);
  });
});
