/** Routing parity over sessions: whatever was scored in which session, the files and findings are those of one session. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { judgeParity } from "../../comparison/judge-parity.ts";
import type { ParityResult } from "../../comparison/judge-parity.ts";
import { scoreVariant, sequencesToScore } from "../../comparison/score-variant.ts";
import { resolveSettings } from "../../comparison/settings.ts";
import { openSafetensors } from "../../engine/safetensors.ts";
import { openRunFolder } from "../../reports/run-folder.ts";
import type { CapturedRouting, Runner, ScoredSequence } from "../../runners/runner.ts";
import { buildPrompts, getTask } from "../../tasks/index.ts";

const parent = mkdtempSync(join(tmpdir(), "fusecheck-judge-"));
afterAll(() => rmSync(parent, { recursive: true }));

const DOCS = 4;
const task = getTask("gsm_synth");
const data = await task.load({});
const settings = resolveSettings(task, data, { fused: true, limit: DOCS, numFewshot: 0 });

/** An engine with one MoE layer of 16 experts, 2 per token, that follow from the completion's tokens. */
function runner(scored: number[]): Runner {
  return {
    complete: () => Promise.reject(new Error("not asked here")),
    score(_prompt, given) {
      const completion = given as readonly number[];
      scored.push(completion[0] as number);
      const inputIds = completion.slice(0, -1);
      const topkIds = Uint16Array.from(inputIds.flatMap((token) => [token % 16, (token + 1) % 16]));
      return Promise.resolve({
        inputIds,
        logprobs: Float32Array.from(completion.slice(1), (token) => -token / 100),
        routing: {
          layers: [1],
          nTokens: inputIds.length,
          nExpertsAct: 2,
          nExpertsTot: 16,
          topkIds,
          topkWeights: Float32Array.from(topkIds, (id) => (id + 1) / 16),
          margins: Float32Array.from(inputIds, (token) => token / 8),
        },
        invariants: { checked: 1, broken: 0, violations: [] },
      });
    },
    close: () => Promise.resolve(),
  };
}

/** One session: the docs in `answers` have been answered, those in `failures` have failed. */
async function session(
  path: string,
  {
    answers,
    failures = [],
    engine = runner,
  }: {
    readonly answers: readonly number[];
    readonly failures?: readonly number[];
    readonly engine?: typeof runner;
  },
): Promise<{ readonly result: ParityResult; readonly scored: readonly number[] }> {
  const folder = await openRunFolder({
    path,
    fusecheck: "0.0.0",
    asked: {},
    settings: {},
    task: { name: task.name, version: task.version, provenance: {} },
    engine: { name: "fake", model: "none" },
    environment: {
      node: "",
      platform: "",
      cpu: "",
      cores: 1,
      memory_gib: 1,
      git_commit: null,
      git_dirty: null,
      packages: {},
    },
  });
  const journals = { baseline: await folder.openJournal("baseline"), fused: await folder.openJournal("fused") };
  const prompts = (): ReturnType<typeof buildPrompts> => buildPrompts(task, data, { limit: DOCS, numFewshot: 0 });
  const scored: number[] = [];
  try {
    for (const { docId, docHash, promptHash } of prompts()) {
      const row = { doc_id: docId, doc_hash: docHash, prompt_hash: promptHash };
      for (const journal of Object.values(journals)) {
        if (journal.isCompleted(docId)) continue;
        if (failures.includes(docId))
          await journal.append({ ...row, outcome: { kind: "failed", reason: "no answer" } });
        if (!answers.includes(docId)) continue;
        const token_ids = [docId, docId + 10, docId + 20, docId + 30];
        const counts = { prompt_tokens: 1, completion_tokens: token_ids.length, ms: 1 };
        await journal.append({
          ...row,
          outcome: { kind: "completed", text: "", finish_reason: "stop", token_ids, ...counts },
        });
      }
    }
    const sequences = await sequencesToScore(prompts(), journals.baseline, settings.parityDocs);
    for (const variant of settings.variants) {
      await scoreVariant({
        variant,
        folder,
        sequences,
        routing: true,
        generation: settings,
        concurrency: 4,
        runner: () => Promise.resolve(engine(scored)),
        signal: new AbortController().signal,
        progress: { start: () => () => {}, end: () => {}, note: () => {} },
      });
    }
    const result = judgeParity(folder);
    return { result, scored };
  } finally {
    for (const journal of Object.values(journals)) await journal.close();
    await folder.close();
  }
}

const ALL = [0, 1, 2, 3];
const whole = join(parent, "whole");
const expected = await session(whole, { answers: ALL });

function expectSameFiles(path: string): void {
  for (const name of ["baseline/scored.jsonl", "baseline/routing.safetensors", "fused/routing.safetensors"]) {
    expect(readFileSync(join(path, name)).equals(readFileSync(join(whole, name)))).toBe(true);
  }
}

describe("judgeParity", () => {
  it("scores the docs that both variants answered, in both", () => {
    expect(expected.scored).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    expect(expected.result.parity).toMatchObject({
      kind: "judged",
      routing: { docs: 4, tokens: 12, tokensAffected: 0 },
    });
    const file = openSafetensors(join(whole, "fused/routing.safetensors"));
    expect([...file.read("doc_index")]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    file.close();
  });

  it("scores nothing again where all is there", async () => {
    const { result, scored } = await session(whole, { answers: ALL });
    expect([scored, result]).toEqual([[], expected.result]);
  });

  it("takes in a doc that failed in one session and was answered in the next, at its place", async () => {
    const path = join(parent, "late");
    const first = await session(path, { answers: [0, 2, 3], failures: [1] });
    expect(first.result.parity).toMatchObject({ routing: { docs: 3 } });
    const second = await session(path, { answers: ALL });
    expect(second.result).toEqual(expected.result);
    expectSameFiles(path);
  });

  it("scores again what was lost", async () => {
    for (const lose of [
      (path: string): void => unlinkSync(join(path, "fused/routing.safetensors")),
      (path: string): void => truncateSync(join(path, "fused/scored.jsonl"), 100),
    ]) {
      const path = mkdtempSync(join(parent, "lost-"));
      await session(path, { answers: ALL });
      lose(path);
      expect((await session(path, { answers: ALL })).result).toEqual(expected.result);
      expectSameFiles(path);
    }
  });

  it("judges ids alone, log-probabilities alone, or nothing, where that is what the engine gives", async () => {
    const without = (...fields: readonly ("routing" | "logprobs" | "topkWeights" | "margins")[]): typeof runner => {
      return (scored) => {
        const inner = runner(scored);
        return {
          ...inner,
          async score(...args) {
            const sequence = structuredClone((await inner.score?.(...args)) as ScoredSequence);
            for (const field of fields) {
              if (field === "topkWeights" || field === "margins")
                delete (sequence.routing as Partial<CapturedRouting>)[field];
              else delete sequence[field];
            }
            return sequence;
          },
        };
      };
    };
    const judged = async (name: string, engine: typeof runner): Promise<ParityResult> =>
      (await session(join(parent, name), { answers: ALL, engine })).result;
    const idsOnly = await judged("ids", without("topkWeights", "margins", "logprobs"));
    expect(idsOnly.parity).toMatchObject({ routing: { marginsKnown: false, layers: [{ weights: { count: 0 } }] } });
    expect(idsOnly.logprobs.kind).toBe("not judged");
    const logprobsOnly = await judged("logprobs", without("routing"));
    expect(logprobsOnly.parity).toEqual({ kind: "not judged", reason: "the engine gives no routing" });
    expect(logprobsOnly.logprobs).toMatchObject({ kind: "judged", docs: 4, count: 12 });
  });

  it("says so where no doc was answered", async () => {
    const { result } = await session(join(parent, "none"), { answers: [], failures: ALL });
    expect(result.parity).toEqual({
      kind: "not judged",
      reason: "the baseline has no completion to compare by",
    });
  });
});
