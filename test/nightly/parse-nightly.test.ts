import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { loadNightly, parseNightly } from "../../nightly/parse-nightly.ts";

const FILE = "jobs/nightly.yaml";
const problem = (text: string): string => {
  try {
    parseNightly(text, FILE);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was wrong";
};

const ROWS = "rows:\n  - name: a\n    task: gsm_synth\n";

describe("nightly.yaml", () => {
  it("fills each row with the defaults, and a row's own setting wins whole", () => {
    const { rows } = parseNightly(
      "defaults: {task: gsm_synth, limit: 5, facts: {image: x, driver: y}}\nrows:\n  - name: a\n  - {name: b, limit: 7, facts: {image: z}}\n",
      FILE,
    );
    expect(rows).toMatchObject([
      { name: "a", task: "gsm_synth", limit: 5, fused: true, embedded: true, facts: { image: "x", driver: "y" } },
      { name: "b", limit: 7 },
    ]);
    expect(rows[1]!.facts).toEqual({ image: "z" });
  });

  it("takes folders from where the file lies, and PostgreSQL's addresses as they are", () => {
    const text = `history: h.db\noutput: nights\n${ROWS}    model: m\n    data: d\n`;
    const config = parseNightly(text, FILE);
    expect(config).toMatchObject({ history: resolve("jobs/h.db"), output: resolve("jobs/nights") });
    expect(config.rows[0]).toMatchObject({ model: resolve("jobs/m"), data: resolve("jobs/d") });
    expect(parseNightly(`history: postgres://u@host/db\n${ROWS}`, FILE).history).toBe("postgres://u@host/db");
    expect(parseNightly(ROWS, FILE)).toMatchObject({
      output: join(resolve("jobs"), "nightly"),
      falseAlarmNights: 1000,
    });
  });

  it("has a hash of what is asked, not of how it is written down", () => {
    const of = (text: string): string => parseNightly(text, FILE).sha256;
    expect(of("rows: [{task: gsm_synth, name: a}]")).toBe(of(`# A comment.\n${ROWS}`));
    expect(of(`output: elsewhere\n${ROWS}`)).toBe(of(ROWS));
    expect(of(`${ROWS}    limit: 5\n`)).not.toBe(of(ROWS));
    expect(of(`alarm: {false_alarm_nights: 50}\n${ROWS}`)).not.toBe(of(ROWS));
  });

  it("takes what fusecheck.yaml takes, in each row", () => {
    const text = `${ROWS}    engine: vllm\n    model: M\n    switch: grouped-topk\n    launch: {cwd: here, env: {X: 1}}\n    timeouts: {startup: 1h}\n`;
    expect(parseNightly(text, FILE).rows[0]).toMatchObject({ embedded: false, launch: { cwd: resolve("jobs/here") } });
  });

  it.each([
    [
      `${ROWS}    limitt: 5\n`,
      /^jobs\/nightly\.yaml:4:5: rows\.0\.limitt: there is no such setting \(did you mean "limit"\?\)/,
    ],
    [`histroy: x\n${ROWS}`, /^jobs\/nightly\.yaml:1:1: histroy: there is no such setting \(did you mean "history"\?\)/],
    [
      `${ROWS}    launch: {enf: {}}\n`,
      /:4:14: rows\.0\.launch\.enf: there is no such setting \(did you mean "env"\?\)/,
    ],
    [`${ROWS}    limit: many\n`, /:4:12: rows\.0\.limit: expected a whole number from 1 to 10,000,000/],
    [`${ROWS}    threshold: 95\n`, /:4:16: rows\.0\.threshold: expected an exact match from 0 to 1/],
    [
      `${ROWS}    threshold: {strict: 0.9}\n`,
      /gsm_synth has no filter "strict"; it has: strict-match, flexible-extract|did you mean/,
    ],
    [`${ROWS}    margin: 0\n`, /rows\.0\.margin: expected points from 0\.01 to 100/],
    [`${ROWS}  - name: A\n    task: gsm8k\n`, /:4:11: rows\.1\.name: another row is called "A" already/],
    ["rows:\n  - name: ../up\n    task: gsm8k\n", /:2:11: rows\.0\.name: expected a name of letters/],
    ["rows:\n  - name: a\n", /:2:5: rows\.0: row a has no task/],
    ["rows:\n  - name: a\n    task: gsm9k\n", /:3:11: rows\.0\.task: .*gsm8k/],
    ["rows: []\n", /:1:7: rows: expected at least one row/],
    ["output: x\n", /rows: expected a list of rows/],
    [`${ROWS}    switch: x\n`, /:4:13: rows\.0\.switch: row a: switch is for servers/],
    [`${ROWS}    engine: vlm\n`, /:4:13: rows\.0\.engine: .*vllm/],
    [`${ROWS}    engine: vllm\n`, /rows\.0: row a: baseline and fused are started the same way/],
    [`${ROWS}    rerun_inconclusive: {times: 2}\n`, /rows\.0\.rerun_inconclusive: row a is never inconclusive/],
    [`${ROWS}    margin: 1\n    num_fewshot: 0\n    rerun_inconclusive: {times: 2}\n`, /asked the same prompts again/],
    [`${ROWS}    api_key: sk-abc\n`, /:4:5: rows\.0\.api_key: keys come from the environment only/],
    [`history: postgres://u:pw@host/db\n${ROWS}`, /:1:10: history: a password would stand here/],
    ["", /is empty; see docs\/nightly\.md/],
    ["- a\n", /holds no settings by name/],
    ["rows: [\n", /not YAML/],
  ])("says what is wrong, and where: %j", (text, message) => {
    expect(problem(text)).toMatch(message);
    expect(problem(text)).not.toMatch(/\bpw\b|sk-abc/);
  });

  it("that is not there", () => {
    expect(() => loadNightly("no/such.yaml")).toThrow("cannot read no/such.yaml");
  });
});
