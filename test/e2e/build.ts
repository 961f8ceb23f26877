/**
 * Builds the program once for all end-to-end tests, as `npm run build` does, into a folder of its own that looks like the
 * installed package: `dist` beside `models` and `package.json`. A build of the same sources is used again.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/fusecheck-e2e");
const SOURCES = [
  "bin",
  "cli",
  "comparison",
  "engine",
  "metrics",
  "nightly",
  "parity",
  "reports",
  "runners",
  "server",
  "tasks",
];

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder that the built program was put into. */
    readonly fusecheckPackage: string;
  }
}

export default function setup(project: TestProject): void {
  project.provide("fusecheckPackage", builtPackage());
}

/** The folder of the package as built from the sources that there are now. */
export function builtPackage(): string {
  const folder = join(CACHE, stateOfSources());
  if (!existsSync(folder)) build(folder);
  return folder;
}

function stateOfSources(): string {
  const hash = createHash("sha256");
  const inRooms = SOURCES.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" }).map((name) => join(room, name)),
  );
  const inRoot = readdirSync(ROOT).filter((name) => /\.(?:ts|json)$/.test(name));
  for (const name of [...inRooms, ...inRoot].toSorted()) hash.update(`${name} ${statSync(join(ROOT, name)).mtimeMs}\n`);
  return hash.digest("hex").slice(0, 16);
}

function build(folder: string): void {
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  // Types are another check's business: a tree in which somebody is at work can still be run.
  const options = ["-p", join(ROOT, "tsconfig.build.json"), "--outDir", join(unfinished, "dist"), "--noCheck"];
  execFileSync(process.execPath, [tsc, ...options], { cwd: ROOT, stdio: "inherit" });
  cpSync(join(ROOT, "package.json"), join(unfinished, "package.json"));
  symlinkSync(join(ROOT, "models"), join(unfinished, "models"), "dir");
  for (const name of readdirSync(CACHE)) {
    // Builds of earlier states; one that is an hour old serves no test any more.
    const path = join(CACHE, name);
    if (path !== unfinished && Date.now() - statSync(path).mtimeMs > 3_600_000)
      rmSync(path, { recursive: true, force: true });
  }
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another test run built the same state at the same time.
    rmSync(unfinished, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}
