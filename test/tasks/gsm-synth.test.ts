import { createHash } from "node:crypto";
import { assert, constantFrom, integer, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { statedNumbers } from "../../tasks/gsm-synth/phrases.ts";
import {
  GSM_SYNTH_VERSION,
  type Split,
  type SynthProblem,
  TEMPLATES,
  evaluateMarks,
  splitOf,
  synthProblem,
  synthProblems,
} from "../../tasks/gsm-synth/index.ts";

const NAMES = Object.keys(TEMPLATES);
const PROBLEMS: readonly SynthProblem[] = ["0", "1", "a seed"].flatMap((seed) =>
  Array.from(synthProblems("train", { seed, limit: 1500 })).concat(...synthProblems("test", { seed, limit: 500 })),
);

function share(matches: (problem: SynthProblem) => boolean): number {
  return PROBLEMS.filter(matches).length / PROBLEMS.length;
}

function medianResult(level: number): number {
  const values = Array.from({ length: 400 }, (_, i) => synthProblem("train", i, { level }).result);
  return values.toSorted((x, y) => x - y)[200] ?? 0;
}

describe("every problem", () => {
  test("has a question of plain sentences that ends in a question", () => {
    for (const { question } of PROBLEMS) {
      expect(question).toMatch(/^[A-Z][\x20-\x7e]*[.] [A-Z][^.]*\?$/);
      expect(question).not.toMatch(/ {2}|[#<>{}[\]]|Question:|Q:|Answer:|undefined|NaN|[.,?] ?[.,?]|[.?] [a-z]/);
    }
  });

  test("has one true mark on each line, stated as GSM8K does, and a last line with the answer", () => {
    for (const { answer, steps, result } of PROBLEMS) {
      const lines = answer.split("\n");
      expect(lines.pop()).toBe(`#### ${result}`);
      expect(lines).toHaveLength(steps);
      for (const line of lines) expect(line).toMatch(/^[A-Z].* = \$?<<[-+*/().\d]+=(\d+)>>\1\b[^<>#{}]*\.$/);
      const { marks } = evaluateMarks(answer);
      expect(marks.map(({ line }) => line)).toStrictEqual(lines.map((_, i) => i + 1));
      expect(marks.at(-1)?.value).toBe(result);
    }
  });

  test("has 2 to 6 steps whose values are whole, positive and not huge", () => {
    for (const { answer, steps } of PROBLEMS) {
      expect(steps).toBeGreaterThanOrEqual(2);
      expect(steps).toBeLessThanOrEqual(6);
      for (const { value } of evaluateMarks(answer).marks) {
        expect(Number.isInteger(value) && value > 0 && value < 100_000).toBe(true);
      }
    }
  });

  test("calculates only with numbers that were stated, computed or are common knowledge", () => {
    for (const { question, answer } of PROBLEMS) {
      const at = new Set([1, 2, 3, 4, 5, 6, 100, ...statedNumbers(question)]);
      for (const { expression, value } of evaluateMarks(answer).marks) {
        for (const operand of expression.match(/\d+/g) ?? []) expect(at).toContain(Number(operand));
        at.add(value);
      }
    }
  });

  test("counts one thing in the singular", () => {
    for (const { question } of PROBLEMS) {
      expect(question).not.toMatch(/\b(?:1|one) (?:boxes|hours|days|weeks|gallons|passengers|people|friends|cups)\b/);
      expect(question).not.toMatch(/\ba [aeio]\w+\b(?<!a one\w*)|\ban [bcdfgjklmnpqrstvwxyz]/);
    }
  });
});

describe("splits", () => {
  test("a problem stands on the side its numbers say, whatever its wording", () => {
    for (const split of ["train", "test"] as const) {
      for (const { question } of synthProblems(split, { seed: "sides", limit: 400 }))
        expect(splitOf(question)).toBe(split);
    }
    expect(splitOf("Ann has 3 pens and 41 cups.")).toBe(splitOf("Bob ate 41 figs in three days."));
  });

  test("share no question", () => {
    const train = new Set([...synthProblems("train", { limit: 3000 })].map(({ question }) => question));
    const both = [...synthProblems("test", { limit: 1000 })].filter(({ question }) => train.has(question));
    expect(both).toStrictEqual([]);
    expect(train.size).toBeGreaterThan(2990);
  });
});

describe("indexing", () => {
  test("streaming gives what the index gives, and twice the same", () => {
    assert(
      property(
        constantFrom<Split>("train", "test"),
        integer({ min: 0, max: 2 ** 40 }),
        string(),
        (split, from, seed) => {
          const streamed = [...synthProblems(split, { seed, from, limit: 2 })];
          expect(streamed).toStrictEqual([
            synthProblem(split, from, { seed }),
            synthProblem(split, from + 1, { seed }),
          ]);
        },
      ),
    );
  });

  test("another seed, index or split gives another problem", () => {
    const texts = [
      synthProblem("train", 5),
      synthProblem("train", 6),
      synthProblem("train", 5, { seed: "1" }),
      synthProblem("test", 5),
    ].map(({ question }) => question);
    expect(new Set(texts).size).toBe(4);
  });

  test("is lazy and endless", () => {
    const stream = synthProblems("test", { from: 1e12 });
    expect(stream.next().value).toStrictEqual(synthProblem("test", 1e12));
    expect(stream.next().done).toBe(false);
  });

  test.each([
    [() => synthProblem("train", -1), /index/],
    [() => synthProblem("train", 1.5), /index/],
    [() => synthProblem("valid" as Split, 1), /split/],
    [() => synthProblem("train", 1, { level: 9 }), /level/],
    [() => synthProblem("train", 1, { template: "__proto__" }), /template/],
  ])("refuses wrong arguments (%#)", (call, message) => {
    expect(call).toThrow(message);
  });
});

describe("variety", () => {
  test("there are at least 60 templates, all drawn, none for more than 5 % of problems", () => {
    expect(NAMES.length).toBeGreaterThanOrEqual(60);
    for (const name of NAMES) {
      const drawn = share(({ template }) => template === name);
      expect({ name, share: drawn, fits: drawn > 0.001 && drawn < 0.05 }).toStrictEqual({
        name,
        share: drawn,
        fits: true,
      });
    }
  });

  test.each(NAMES)("%s: nearly every draw is another question, at every level", (template) => {
    const drawn = Array.from({ length: 60 }, (_, i) => synthProblem("train", i, { template, level: 1 + (i % 4) }));
    expect(new Set(drawn.map(({ question }) => question)).size).toBeGreaterThanOrEqual(50);
    expect(new Set(drawn.map(({ answer }) => answer)).size).toBeGreaterThanOrEqual(50);
    expect(drawn.every((problem) => problem.template === template)).toBe(true);
  });

  test("lengths and levels follow the difficulty table", () => {
    const lengths = { 2: 0.1, 3: 0.25, 4: 0.3, 5: 0.2, 6: 0.15 };
    for (const [steps, wanted] of Object.entries(lengths)) {
      expect(Math.abs(share((problem) => problem.steps === Number(steps)) - wanted)).toBeLessThan(0.03);
    }
    for (const level of [1, 2, 3, 4]) expect(share((problem) => problem.level === level)).toBeGreaterThan(0.1);
  });

  test("a higher level has larger numbers", () => {
    expect(medianResult(4)).toBeGreaterThan(1.5 * medianResult(1));
  });
});

test("version 1 is frozen: a change of these problems needs a new version", () => {
  const frozen = createHash("sha256");
  for (const split of ["train", "test"] as const) {
    for (const seed of ["0", "7"]) {
      for (const { question, answer } of synthProblems(split, { seed, limit: 300 }))
        frozen.update(`${question}\n${answer}\n`);
    }
  }
  expect({ version: GSM_SYNTH_VERSION, sha256: frozen.digest("hex") }).toStrictEqual({
    version: 1,
    sha256: "9c0e0ef922293dab3e868ff519cad76ad2f12baa88f96ca02e2210a497c7d4a7",
  });
});
