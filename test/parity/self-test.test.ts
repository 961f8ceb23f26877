/** Every fault at its own level, no legal variation flagged, whatever the numbers are; and the README's table is today's. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ANSWERS_MEASURED } from "../../parity/self-test/answers-measured.ts";
import { faultsNamed } from "../../parity/self-test/answers.ts";
import { judgeSelection } from "../../parity/self-test/judge-selection.ts";
import { LEGAL_ROUTING, LEGAL_SELECTION } from "../../parity/self-test/legal.ts";
import { ROUTING_FAULTS } from "../../parity/self-test/routing-faults.ts";
import { selectionCases } from "../../parity/self-test/selection-cases.ts";
import { choose, SELECTION_FAULTS } from "../../parity/self-test/selection-faults.ts";
import { type SelfTest, selfTest } from "../../parity/self-test/self-test.ts";
import { selfTestMarkdown, selfTestText } from "../../parity/self-test/table.ts";

/** The seed of the command. */
const SEED = 1234;

let result: SelfTest;
beforeAll(() => {
  result = selfTest(SEED);
});

function caughtBy(name: string): readonly string[] {
  return result.rows.find((row) => row.name === name)?.caught?.by ?? [];
}

describe("the self-test", () => {
  it("has faults enough, each once", () => {
    expect(ROUTING_FAULTS.length + SELECTION_FAULTS.length).toBeGreaterThanOrEqual(50);
    const names = result.rows.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(
      ROUTING_FAULTS.length + SELECTION_FAULTS.length + LEGAL_ROUTING.length + LEGAL_SELECTION.length,
    );
  });

  it("holds", () => {
    expect(result.wrong).toEqual([]);
    expect(selfTestText(result).at(-1)).toMatch(/^Held: /);
  });

  it.each(ROUTING_FAULTS.map(({ name }) => [name]))("level 1 catches: %s", (name) => {
    expect(caughtBy(name).length).toBeGreaterThan(0);
  });

  it.each(SELECTION_FAULTS.map(({ name }) => [name]))("level 2 catches: %s", (name) => {
    expect(caughtBy(name)).toHaveLength(1);
  });

  it.each([...LEGAL_ROUTING, ...LEGAL_SELECTION].map(({ name }) => [name]))("is legal: %s", (name) => {
    expect(result.rows.find((row) => row.name === name)).toMatchObject({ kind: "legal" });
    expect(caughtBy(name)).toEqual([]);
  });

  it.each([
    ["offsets one too far", "bucket"],
    ["gather right, scatter wrong", "inverse"],
    ["histogram of one expert one too small", "hist"],
    ["one token dropped", "hist_sum"],
    ["one token sent twice, another never", "permutation"],
    ["two weights of a row swapped", "multiset"],
    ["NaN in one row", "finite"],
    ["dtype not kept: 16-bit weights widened", "dtype"],
    ["last tile missing from the map", "block_pid_map"],
    ["correction bias dropped", "experts differ"],
    ["weights not renormalised", "weights differ"],
    ["0/0 in renormalising rows of zeros", "weights not finite"],
    ["all ids 0", "capture broken: all ids 0"],
  ])("%s is called %s", (name, invariant) => {
    expect(caughtBy(name)).toContain(invariant);
  });

  it("a fault that is bound to a condition is caught where that is met first, not before", () => {
    const caughtIn = (name: string): string => result.rows.find((row) => row.name === name)?.caught?.case ?? "";
    expect(caughtIn("wrong only for N = 1")).toMatch(/^n1_/);
    const [, n = "0", k = "0"] = /^n(\d+)_k(\d+)_/.exec(caughtIn("wrong only where NK > 4096")) ?? [];
    expect(Number(n) * Number(k)).toBeGreaterThan(4096);
    expect(caughtIn("expert_map hole sent to expert 0 with its weight")).toContain("expert map");
  });

  it("does not hang on the seed", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(selfTest(seed).wrong.map(({ name }) => name)).toEqual([]);
      }),
      { numRuns: 5 },
    );
  });

  it("says what was missed and what was flagged", () => {
    const [first] = result.rows;
    const { caught: _, ...missed } = first!;
    const flagged = { ...first!, name: "free", kind: "legal" } as const;
    const text = selfTestText({ rows: [missed, flagged], seconds: 1, wrong: [missed, flagged] });
    expect(text.at(-1)).toBe(`Wrong: ${first!.name} (missed); free (flagged).`);
  });
});

describe("ties", () => {
  const tied = selectionCases(SEED).find(({ name }) => name.includes("tied"))!;
  const other = choose(tied, { ties: "highest" });

  it("are a fault within one engine and excused across engines, and counted", () => {
    expect(judgeSelection(tied, other, true)).toMatchObject({ fault: "experts differ", nearTies: 0 });
    expect(judgeSelection(tied, other, false)).toEqual({ nearTies: tied.options.nTokens });
  });

  it("excuse no weight", () => {
    const weights = other.topkWeights.map((weight, at) => (at === 3 ? weight + 1e-3 : weight));
    const sameExperts = { ...tied.sound, topkWeights: tied.sound.topkWeights.with(3, weights[3]!) };
    expect(judgeSelection(tied, sameExperts, false)).toEqual({ fault: "weights differ", nearTies: 0 });
  });
});

describe("what was measured of answers", () => {
  it("belongs to faults that there are", () => {
    const names = new Set(result.rows.map(({ name }) => name));
    expect(Object.keys(ANSWERS_MEASURED).filter((name) => !names.has(name))).toEqual([]);
  });

  it("can be measured for faults by the beginning of their names", () => {
    expect(faultsNamed(["one token", "NaN"]).map(({ name }) => name)).toEqual([
      "one token dropped",
      "one token sent twice, another never",
      "NaN in one row",
    ]);
    expect(faultsNamed(undefined)).toBe(ROUTING_FAULTS);
    expect(() => faultsNamed(["nothing"])).toThrow(
      /no routing-data fault is named "nothing\.\.\."; there are: "offsets/,
    );
  });
});

it("the README's table is what the self-test gives (fusecheck parity --self-test --markdown)", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const [, table] = /<!-- self-test -->\n([^]*?)\n<!-- \/self-test -->/.exec(readme) ?? [];
  expect(table?.trim()).toBe(selfTestMarkdown(result));
});
