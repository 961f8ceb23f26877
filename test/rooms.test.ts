/** The arrows between rooms go one way (docs/design/rooms.md). */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What each room may import besides itself and the shared files in the root. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bin: ["cli"],
  cli: ["comparison", "nightly", "parity", "reports", "runners", "server", "tasks", "metrics"],
  comparison: ["reports", "runners", "tasks", "metrics"],
  nightly: ["comparison", "reports", "runners", "tasks", "metrics"],
  parity: ["engine", "tasks", "metrics"],
  reports: ["metrics"],
  runners: ["engine"],
  server: ["engine"],
  engine: [],
  tasks: [],
  metrics: [],
};
const SHARED = new Set(["errors.ts", "nearest.ts", "version.ts"]);

function importsOf(path: string): string[] {
  const found = readFileSync(path, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g);
  return [...found].map(([, specifier]) => relative(ROOT, resolve(dirname(path), specifier as string)));
}

it.each(Object.entries(MAY_IMPORT))("%s imports nothing but %j", (room, allowed) => {
  const files = readdirSync(join(ROOT, room), { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".ts"),
  );
  expect(files.length).toBeGreaterThan(0);
  const wrong = files.flatMap((file) =>
    importsOf(join(ROOT, room, file))
      .filter((target) => !SHARED.has(target) && ![room, ...allowed].includes(target.split("/")[0] as string))
      .map((target) => `${room}/${file} -> ${target}`),
  );
  expect(wrong).toEqual([]);
});
