import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { clearEngineCache, ENGINES } from "../../../runners/engines/index.ts";

function makeHome(): { home: string; cache: string; keep: string } {
  const home = mkdtempSync(join(tmpdir(), "fusecheck-home-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const keep = join(home, "keep");
  mkdirSync(keep);
  writeFileSync(join(keep, "thesis.tex"), "years of work");
  return { home, cache: join(home, ".cache/atom"), keep };
}

function fill(cache: string, keep: string): void {
  mkdirSync(join(cache, "compiled/deep"), { recursive: true });
  writeFileSync(join(cache, "compiled/deep/kernel.so"), "");
  writeFileSync(join(cache, ".index"), "");
  symlinkSync(keep, join(cache, "link"));
}

describe("ATOM's cache", () => {
  it("is emptied where the user agrees; links in it go, what they lead to stays", async () => {
    const { home, cache, keep } = makeHome();
    fill(cache, keep);
    writeFileSync(join(home, ".cache/other"), "");
    expect(await clearEngineCache(ENGINES.atom, { confirmed: true, home })).toEqual({
      kind: "cleared",
      folder: cache,
      entries: 3,
    });
    expect(readdirSync(cache)).toEqual([]);
    expect(readdirSync(keep)).toEqual(["thesis.tex"]);
    expect(existsSync(join(home, ".cache/other"))).toBe(true);
  });

  it("is left alone, and named, where the user has not agreed", async () => {
    const { home, cache, keep } = makeHome();
    fill(cache, keep);
    expect(await clearEngineCache(ENGINES.atom, { confirmed: false, home })).toMatchObject({
      kind: "not confirmed",
      folder: cache,
    });
    expect(readdirSync(cache)).toHaveLength(3);
  });

  it.each(["the folder", "a folder above it"])("is left alone where %s is a link", async (which) => {
    const { home, cache, keep } = makeHome();
    if (which === "the folder") {
      mkdirSync(join(home, ".cache"));
      symlinkSync(keep, cache);
    } else {
      mkdirSync(join(keep, "atom"));
      writeFileSync(join(keep, "atom/precious"), "");
      symlinkSync(keep, join(home, ".cache"));
    }
    await expect(clearEngineCache(ENGINES.atom, { confirmed: true, home })).rejects.toThrow(
      `${cache} is not a folder of its own but leads elsewhere; clear it by hand`,
    );
    expect(existsSync(join(keep, "thesis.tex"))).toBe(true);
  });

  it("is nothing where there is none, nor for engines without one", async () => {
    const { home, cache } = makeHome();
    expect(await clearEngineCache(ENGINES.atom, { confirmed: true, home })).toEqual({ kind: "nothing to clear" });
    mkdirSync(cache, { recursive: true });
    expect(await clearEngineCache(ENGINES.atom, { confirmed: true, home })).toEqual({ kind: "nothing to clear" });
    expect(await clearEngineCache(ENGINES.vllm, { confirmed: true, home })).toEqual({ kind: "nothing to clear" });
  });
});
