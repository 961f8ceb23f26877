/** Log-probabilities of servers that show no routing, found out by trying: the built `fusecheck serve`, and what it lacks. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import { jsonOf, linesOf, run, temporaryFolder } from "./program.ts";
import type { ProgramRun } from "./program.ts";
import { proxy, serve } from "./serving.ts";
import type { AnswerBody } from "./serving.ts";

const DOCS = 3;
const TOKENS = 16;
const ASKED = ["--task", "gsm_synth", "--limit", `${DOCS}`, "--num-fewshot", "1", "--max-tokens", `${TOKENS}`];

const parent = temporaryFolder();
let [reference, fused] = ["", ""];
beforeAll(async () => {
  [reference, fused] = await Promise.all([serve([]), serve(["--fused"])]);
});

let runs = 0;

interface Evaluated extends ProgramRun {
  readonly folder: string;
  readonly comparison: Comparison;
  readonly report: string;
}

async function compare(urls: readonly [string, string], more: readonly string[] = []): Promise<Evaluated> {
  const folder = join(parent, `run-${runs++}`);
  const servers = ["--fused", "--base-url", urls[0], "--fused-base-url", urls[1], ...more];
  const ended = await run(["eval", ...ASKED, ...servers, "--output", folder]);
  expect([ended.code, ended.stdout.length > 0]).not.toEqual([2, false]);
  const comparison = jsonOf(join(folder, "comparison.json")) as Comparison;
  return { ...ended, folder, comparison, report: readFileSync(join(folder, "report.md"), "utf8") };
}

type Body = Record<string, unknown>;
interface Choice {
  text?: string;
  logprobs?: { tokens: string[]; token_logprobs: (number | null)[]; text_offset: number[] } | null;
}

/** An error has none. */
const choicesOf = ({ choices }: Partial<AnswerBody>): Choice[] => (choices ?? []) as readonly object[] as Choice[];
const unchanged = (): void => {};

const refusesEcho = (url: string): Promise<string> =>
  proxy(url, unchanged, ({ echo }) => (echo === undefined ? undefined : 400));
const dropsEcho = (url: string): Promise<string> =>
  proxy(url, unchanged, (body: Body) => {
    delete body["echo"];
    delete body["prompt_logprobs"];
  });

describe("a server that takes text and echoes it", () => {
  it("is given the baseline's answers; what is timed knows nothing of it", async () => {
    const bodies: Body[] = [];
    const seen = await proxy(fused, unchanged, (body) => void bodies.push({ ...body }));
    const { code, comparison, stdout, report, folder } = await compare([reference, seen]);
    expect(code).toBe(0);
    expect(comparison.logprobs).toMatchObject({ kind: "judged", docs: DOCS, count: DOCS * TOKENS, way: "given text" });
    for (const text of [stdout, report])
      expect(text).toContain("(the baseline's answers, given to both variants as text): largest ");
    const [timed, after] = [bodies.slice(0, DOCS), bodies.slice(DOCS)];
    for (const body of timed)
      expect(Object.keys(body).filter((name) => /logprobs|echo|token_ids/.test(name))).toEqual([]);
    expect(after).toHaveLength(DOCS);
    for (const body of after) expect(body).toMatchObject({ echo: true, logprobs: 1, max_tokens: 1, temperature: 0 });
    expect(linesOf(join(folder, "baseline/scored.jsonl"))).toHaveLength(DOCS);
  });

  it("does not hold where its log-probabilities lie far off, though its answers are the same", async () => {
    const far = await proxy(fused, (body) => {
      for (const { logprobs } of choicesOf(body))
        if (logprobs)
          logprobs.token_logprobs = logprobs.token_logprobs.map((each) => (each === null ? null : each - 0.2));
    });
    const { code, stdout } = await compare([reference, far]);
    expect([code, stdout.includes("\nRegressed.\n")]).toEqual([1, true]);
    expect(stdout).toMatch(/log-probabilities of the same 48 tokens differ by 0\.20 on average, more than rounding/);
  });

  it("whose echo stands one place off is not believed: llama-cpp-python's, without a start token", async () => {
    const shifted = (url: string): Promise<string> =>
      proxy(url, (body) => {
        for (const { logprobs } of choicesOf(body)) {
          if (!logprobs || logprobs.tokens.length <= TOKENS) continue;
          for (const list of [logprobs.tokens, logprobs.text_offset]) list.pop();
          logprobs.token_logprobs.splice(1, 1);
        }
      });
    const { code, comparison } = await compare([await shifted(reference), await shifted(fused)]);
    expect(code).toBe(0);
    expect(comparison.logprobs).toMatchObject({ kind: "judged", way: "generated", max: expect.closeTo(0, 3) });
  });
});

describe("a server that cannot be given text", () => {
  it.each([
    ["refuses it", refusesEcho],
    ["drops the field without a word", dropsEcho],
  ])("and %s completes anew, and is compared as far as both say the same", async (_, without) => {
    const { code, comparison, stdout } = await compare([await without(reference), await without(fused)]);
    expect(code).toBe(0);
    expect(comparison.logprobs).toMatchObject({
      kind: "judged",
      docs: DOCS,
      count: DOCS * TOKENS,
      way: "generated",
      parted: { docs: 0, first: null },
    });
    expect(stdout).toContain("that both variants generate, each for itself, up to where they part: largest ");
    expect(stdout).toContain("They part in 0 of 3 docs.");
  });

  it("in chat is asked so from the start, and the first token that differs is named", async () => {
    const { code, comparison } = await compare([reference, fused], ["--chat"]);
    expect([code, comparison.logprobs]).toEqual([0, expect.objectContaining({ way: "generated", docs: DOCS })]);
  });

  it("says where two completions part", async () => {
    let n = 0;
    const parts = await proxy(await refusesEcho(fused), (body) => {
      // The second doc's, after the answers and what was tried.
      for (const { logprobs } of choicesOf(body)) if (logprobs && n++ === 1) logprobs.tokens[5] = " other";
    });
    const { comparison, stdout } = await compare([await refusesEcho(reference), parts], ["--concurrency", "1"]);
    expect(comparison.logprobs).toMatchObject({
      count: (DOCS - 1) * TOKENS + 5,
      parted: { docs: 1, first: { doc_id: 1, token: 5 } },
    });
    expect(stdout).toContain("They part in 1 of 3 docs, the first in doc 1 at token 5.");
  });
});

describe("a server without log-probabilities", () => {
  it("is judged by its answers only, and says what was tried", async () => {
    const without = (url: string): Promise<string> =>
      proxy(url, (body) => {
        for (const choice of choicesOf(body)) choice.logprobs = null;
      });
    const { code, comparison, stdout } = await compare([await without(reference), await without(fused)]);
    expect([code, stdout.includes("\nInconclusive.\n")]).toEqual([0, true]);
    expect(comparison.logprobs.kind).toBe("not judged");
    expect(stdout).toContain(
      "Log-probabilities were not judged: baseline: asked for an echo: the server echoes without log-probabilities; asked for prompt_logprobs: ",
    );
    expect(stdout).toContain("asked for its own completion: the server generates without log-probabilities.");
    expect(stdout).toContain("Judged by: answers; not by: log-probabilities, routing.");
  });

  it("in one variant is told from the other", async () => {
    const refuses = await proxy(fused, unchanged, ({ logprobs }) => (logprobs === undefined ? undefined : 422));
    const { code, comparison, stdout } = await compare([reference, refuses]);
    expect([code, comparison.logprobs.kind]).toEqual([0, "not judged"]);
    expect(stdout).toMatch(/Log-probabilities were not judged: fused: asked for an echo: [^\n]*HTTP 422/);
  });

  it("is asked nothing again once it is known", async () => {
    const bodies: Body[] = [];
    const seen = await proxy(fused, unchanged, (body) => void bodies.push(body));
    const { folder, comparison } = await compare([reference, seen]);
    const before = bodies.length;
    const servers = ["--fused", "--base-url", reference, "--fused-base-url", seen];
    const again = await run(["eval", ...ASKED, ...servers, "--output", folder]);
    expect([again.code, bodies.length]).toEqual([0, before]);
    expect((jsonOf(join(folder, "comparison.json")) as Comparison).logprobs).toEqual(comparison.logprobs);
  });
});
