/** docs/statistics.md is what its command makes: a part of it is made again here, the whole by `npm run statistics`. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { STATISTICS_TABLES } from "../../bench/statistics-tables/tables.ts";
import { chanceOf } from "../../bench/statistics-tables/verdict.ts";

const document = readFileSync(new URL("../../docs/statistics.md", import.meta.url), "utf8");

function section(name: string): string {
  const [, content] = new RegExp(`<!-- ${name} -->\n([^]*?)\n<!-- /${name} -->`).exec(document) ?? [];
  return content ?? "";
}

describe("docs/statistics.md", () => {
  it.each(Object.keys(STATISTICS_TABLES))("has the table %s", (name) => {
    expect(section(name).split("\n").length).toBeGreaterThan(4);
  });

  it.each(["docs-needed", "sequential"])("has the table %s as it is made now", (name) => {
    expect(STATISTICS_TABLES[name]?.()).toBe(section(name));
  });

  it("has the false alarms of 1319 docs as they are made now", () => {
    const row = section("false-alarms")
      .split("\n")
      .find((line) => line.startsWith("| 1.0 %"));
    expect(row?.split(" | ")[2]).toBe(chanceOf("regressed", 1319, { discordance: 0.01, difference: 0 }));
  });

  it("shows no error beyond its level", () => {
    const chances = ["false-alarms", "false-equivalence"].flatMap((name) =>
      [...section(name).matchAll(/ ([\d.]+) % \(/g)].map(([, chance]) => Number(chance)),
    );
    expect(chances.length).toBeGreaterThan(12);
    for (const chance of chances) expect(chance).toBeLessThanOrEqual(2.5);
  });
});
