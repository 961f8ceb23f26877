import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openScoredJournal } from "../../comparison/scored-journal.ts";
import type { ScoredRow } from "../../comparison/scored-journal.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fusecheck-parity-"));
  path = join(folder, "scored.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true }));

function row(docId: number): ScoredRow {
  return {
    doc_id: docId,
    tokens: 3,
    shape: { layers: [1], nExpertsAct: 2, nExpertsTot: 8, weights: true, margins: true },
    logprobs: [-0.5, null],
    invariants: { checked: 1, broken: 0, violations: [] },
    problem: null,
  };
}

function write(...docs: number[]): string {
  const journal = openScoredJournal(path);
  for (const doc of docs) journal.append(row(doc));
  journal.close();
  return readFileSync(path, "utf8");
}

/** What the journal holds when it is opened again. */
function reopened(): readonly ScoredRow[] {
  const journal = openScoredJournal(path);
  journal.close();
  return journal.rows;
}

describe("the parity journal", () => {
  it("gives back what was appended", () => {
    write(0, 1, 5);
    expect(reopened()).toEqual([row(0), row(1), row(5)]);
  });

  it("knows rows without routing, whose log-probabilities have their tokens, and drops those that lack some", () => {
    write(0);
    const bare = { ...row(1), shape: null, invariants: null };
    const rows: ScoredRow[] = [
      { ...bare, way: "generated", token_names: ["a", "b"] },
      { ...bare, doc_id: 2, logprobs: null, way: null, reason: "refused" },
    ];
    appendFileSync(path, rows.map((each) => `${JSON.stringify(each)}\n`).join(""));
    expect(reopened()).toEqual([row(0), ...rows]);
    appendFileSync(path, `${JSON.stringify({ ...bare, doc_id: 3, way: "generated", token_names: ["a"] })}\n`);
    expect(reopened()).toEqual([row(0), ...rows]);
  });

  it("cuts a torn last line away, and goes on behind the whole ones", () => {
    const whole = write(0, 1);
    appendFileSync(path, JSON.stringify(row(2)).slice(0, -1));
    expect(reopened()).toEqual([row(0), row(1)]);
    expect(readFileSync(path, "utf8")).toBe(whole);
    const journal = openScoredJournal(path);
    journal.append(row(2));
    journal.close();
    expect(reopened()).toEqual([row(0), row(1), row(2)]);
  });

  it.each(["nonsense", "null", "[]", "{}", '{"doc_id":1,"tokens":"3"}', "\0\0\0"])(
    "drops all from the line %j",
    (line) => {
      const whole = write(0, 1);
      writeFileSync(path, `${whole}${line}\n${JSON.stringify(row(2))}\n`);
      expect(reopened()).toEqual([row(0), row(1)]);
    },
  );

  it("forgets rows that no longer stand where they stood", () => {
    write(0, 1, 5);
    const journal = openScoredJournal(path);
    journal.keep(2);
    journal.append(row(3));
    journal.close();
    expect(reopened().map(({ doc_id: id }) => id)).toEqual([0, 1, 3]);
  });

  it("names the path when it cannot be opened", () => {
    expect(() => openScoredJournal(join(folder, "missing", "scored.jsonl"))).toThrow(/^cannot open .*missing/);
  });
});
