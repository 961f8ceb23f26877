import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readJsonl } from "../../../tasks/data/jsonl.ts";
import type { JsonRow } from "../../../tasks/data/jsonl.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "fusecheck-jsonl-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function rowsOf(content: string | Buffer): Promise<JsonRow[]> {
  const path = join(folder, "rows.jsonl");
  await writeFile(path, content);
  return collect(path);
}

async function collect(path: string): Promise<JsonRow[]> {
  const rows: JsonRow[] = [];
  for await (const row of readJsonl(path)) rows.push(row);
  return rows;
}

describe("readJsonl", () => {
  it("ends a row only at a newline", async () => {
    const rows = await rowsOf('\ufeff"a\u2028b"\r\n\n  \n{"__proto__": 1}\n"last"');
    expect(rows.map(({ line }) => line)).toEqual([1, 4, 5]);
    expect(rows.map(({ value }) => JSON.stringify(value))).toEqual(['"a\u2028b"', '{"__proto__":1}', '"last"']);
  });

  it("gives back what was written, however the rows fall on the chunks of the file", async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.integer({ min: 100_000, max: 600_000 }).map((length) => "é".repeat(length)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 8 }), async (values) => {
        const lines = values.map((row) => JSON.stringify(row));
        const rows = await rowsOf(lines.join("\n"));
        expect(rows.map((row) => JSON.stringify(row.value))).toEqual(lines);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    ["not JSON", '{"a": 1}\n{"a": \n', /rows\.jsonl, line 2: not JSON: "\{\\"a\\": "/],
    ["not UTF-8", Buffer.from([0x22, 0xff, 0x22]), /rows\.jsonl, line 1: not UTF-8/],
  ])("names file and line of what is %s", async (_, content, message) => {
    await expect(rowsOf(content)).rejects.toThrow(message);
  });

  it("says what is wrong with a path", async () => {
    await expect(collect(join(folder, "none"))).rejects.toThrow(/cannot read .*none: there is no such file or folder/);
    await expect(collect(folder)).rejects.toThrow(/it is a folder/);
  });
});
