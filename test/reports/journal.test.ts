import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UserError } from "../../errors.ts";
import { openJournal, type Journal } from "../../reports/journal.ts";
import type { JournalRow } from "../../reports/journal-row.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fusecheck-"));
  path = join(folder, "baseline", "completions.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

function row(doc_id: number, text = `answer ${doc_id}`): JournalRow {
  const outcome = {
    kind: "completed",
    text,
    finish_reason: "stop",
    prompt_tokens: 3,
    completion_tokens: 2,
    ms: 1.5,
  } as const;
  return { doc_id, doc_hash: "d", prompt_hash: "p", outcome };
}

const failed: JournalRow = {
  doc_id: 1,
  doc_hash: "d",
  prompt_hash: "p",
  outcome: { kind: "failed", reason: "timeout", retries: 2 },
};

async function rowsOf(journal: Journal): Promise<JournalRow[]> {
  const rows: JournalRow[] = [];
  for await (const one of journal.rows()) rows.push(one);
  return rows;
}

/** The text of a journal with these rows, made by a journal. */
async function write(...rows: JournalRow[]): Promise<string> {
  const journal = await openJournal(path);
  await Promise.all(rows.map((one) => journal.append(one)));
  await journal.close();
  return readFileSync(path, "utf8");
}

describe("Journal", () => {
  test("an appended row is in the file, as one line, when its promise resolves", async () => {
    const journal = await openJournal(path);
    await journal.append(row(5));
    expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify(row(5))}\n`);
    expect(journal.isCompleted(5)).toBe(true);
    expect(journal.isCompleted(4)).toBe(false);
    await journal.close();
  });

  test("gives back every row by rising doc id, again and again, also after it is opened anew", async () => {
    const texts = ["", "line\nbreak", "\u2028\u2029", "\ud800", "x".repeat(200_000), "ünïcödé 🎲"];
    await write(...texts.map((text, index) => row(9 - index, text)));
    const journal = await openJournal(path);
    const expected = texts.map((text, index) => row(9 - index, text)).toReversed();
    expect(await rowsOf(journal)).toEqual(expected);
    expect(await rowsOf(journal)).toEqual(expected);
    expect(await journal.read(9)).toEqual(row(9, ""));
    expect(await journal.read(100)).toBeUndefined();
    await journal.close();
  });

  test("a doc that failed may be asked again, and its last row counts", async () => {
    await write(failed);
    const journal = await openJournal(path);
    expect([journal.isFailed(1), journal.isCompleted(1)]).toEqual([true, false]);
    await journal.append(row(1));
    expect([journal.isFailed(1), journal.isCompleted(1), journal.docs]).toEqual([false, true, 1]);
    await journal.close();
    const again = await openJournal(path);
    expect(await rowsOf(again)).toEqual([row(1)]);
    await again.close();
  });

  test("no doc is completed twice", async () => {
    const journal = await openJournal(path);
    const [first, second] = await Promise.allSettled([journal.append(row(1)), journal.append(row(1))]);
    expect([first.status, second.status]).toEqual(["fulfilled", "rejected"]);
    await expect(journal.append(row(1))).rejects.toThrow("doc 1 is there already");
    await journal.close();
    appendFileSync(path, readFileSync(path));
    await expect(openJournal(path)).rejects.toThrow(`${path}, line 2: doc 1 is there already`);
  });

  test("wherever the last line was cut, the whole lines stay and the next append follows them", async () => {
    const text = await write(row(0), row(1, "ünïcödé"));
    const bytes = Buffer.from(text);
    const firstEnd = bytes.indexOf(10) + 1;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: firstEnd, max: bytes.length - 1 }), async (cut) => {
        writeFileSync(path, bytes.subarray(0, cut));
        const journal = await openJournal(path);
        expect([journal.isCompleted(0), journal.isCompleted(1)]).toEqual([true, false]);
        await journal.append(row(1, "ünïcödé"));
        await journal.close();
        expect(readFileSync(path, "utf8")).toBe(text);
      }),
    );
  });

  test("a torn line that is longer than the next row leaves nothing behind it", async () => {
    await write(row(0));
    appendFileSync(path, JSON.stringify(row(1, "z".repeat(500))));
    const journal = await openJournal(path);
    await journal.append(row(1, "short"));
    expect(await rowsOf(journal)).toEqual([row(0), row(1, "short")]);
    await journal.close();
    expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify(row(0))}\n${JSON.stringify(row(1, "short"))}\n`);
  });

  test.each([
    ["not JSON", "{not json}", "line 2"],
    ["no row", "[]", "expected an object"],
    ["no doc id", '{"doc_id": -1}', "doc_id must be a whole number"],
    [
      "an unknown outcome",
      '{"doc_id": 7, "doc_hash": "", "prompt_hash": "", "outcome": {"kind": "?"}}',
      '"completed" or "failed"',
    ],
    ["nothing", "", "line 2"],
  ])("a corrupt line in the middle is refused by file and line: %s", async (_name, line, message) => {
    const text = await write(row(0), row(1));
    const [first, second] = text.trimEnd().split("\n");
    writeFileSync(path, `${first}\n${line}\n${second}\n`);
    const error: unknown = await openJournal(path).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(UserError);
    expect(String(error)).toContain(`${path}, line 2:`);
    expect(String(error)).toContain(message);
    expect(String(error)).toContain("delete that line");
  });

  test("bytes that are not UTF-8 are refused", async () => {
    await write(row(0));
    appendFileSync(path, Buffer.from([0xff, 0xfe, 10]));
    await expect(openJournal(path)).rejects.toThrow("line 2");
  });

  test("a closed journal takes nothing, and closing waits for what is being written", async () => {
    const journal = await openJournal(path);
    const pending = journal.append(row(0));
    await journal.close();
    await journal.close();
    await expect(pending).resolves.toBeUndefined();
    await expect(journal.append(row(1))).rejects.toThrow("is closed");
  });

  test.skipIf(!existsSync("/dev/full"))(
    "a full disk is one clear error for every row that waits (needs /dev/full)",
    async () => {
      const full = join(folder, "completions.jsonl");
      symlinkSync("/dev/full", full);
      const journal = await openJournal(full);
      const results = await Promise.allSettled([0, 1, 2].map((doc_id) => journal.append(row(doc_id))));
      for (const result of results) {
        expect(result).toMatchObject({ status: "rejected", reason: expect.any(UserError) as UserError });
        expect(String((result as PromiseRejectedResult).reason)).toContain(`cannot write ${full}: the disk is full`);
      }
      await expect(journal.append(row(3))).rejects.toThrow("the disk is full");
      expect(journal.docs).toBe(0);
    },
  );

  test("kill -9 while it writes loses no row that was reported as written", async () => {
    const script = join(folder, "writer.mts");
    writeFileSync(
      script,
      `import { openJournal } from ${JSON.stringify(new URL("../../reports/journal.ts", import.meta.url).href)};
       const journal = await openJournal(${JSON.stringify(path)});
       let next = 0;
       const work = async () => {
         for (;;) {
           const doc_id = next++;
           const outcome = { kind: "completed", text: "y".repeat(3000), finish_reason: "stop", prompt_tokens: 1, completion_tokens: 1, ms: 1 };
           await journal.append({ doc_id, doc_hash: "d", prompt_hash: "p", outcome });
           process.stdout.write(doc_id + "\\n");
         }
       };
       await Promise.all(Array.from({ length: 16 }, work));`,
    );
    const child = spawn(process.execPath, ["--import", "tsx", script], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    for await (const chunk of child.stdout.setEncoding("utf8")) {
      output += String(chunk);
      if (output.length > 2000) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    const reported = output.split("\n").slice(0, -1).map(Number);
    expect(reported.length).toBeGreaterThan(100);
    const journal = await openJournal(path);
    expect(reported.filter((docId) => !journal.isCompleted(docId))).toEqual([]);
    // At most the docs in flight are there without having been reported.
    expect(journal.docs - reported.length).toBeLessThanOrEqual(16 * 2);
    await journal.close();
  });
});
