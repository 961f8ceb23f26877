import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import type { Completion, CompletionRequest } from "../../engine/requests.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { MODEL_DIR } from "./model-dir.ts";

const EXAMPLES = [11, 12, 13].map((index) => synthProblem("train", index));
const PREFIX = EXAMPLES.map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n\n`).join("");
const QUESTIONS = Array.from({ length: 12 }, (_, i) => `Question: ${synthProblem("train", 100 + i).question}\nAnswer:`);

let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 8 });
});
afterAll(() => engine.close());

function request(text: string, changes: Partial<CompletionRequest> = {}): CompletionRequest {
  const prompt = engine.tokenizer.encode(text);
  return { prompt, maxTokens: 200, stop: ["Question:"], temperature: 0, seed: "1", logprobs: true, ...changes };
}

/** What must not depend on anything but the request; how much of the prompt was cached may. */
function content({ text, tokenIds, finishReason, logprobs }: Completion): unknown {
  return { text, tokenIds, finishReason, logprobs };
}

/** While every other sequence of the engine is busy. */
async function amongOthers<T>(work: () => Promise<T>): Promise<T> {
  const others = QUESTIONS.slice(0, 7).map((question) => engine.complete(request(question, { stop: [] })));
  const result = await work();
  await Promise.all(others);
  return result;
}

describe("a completion", () => {
  it("is the same to the bit alone, among others, in any order, and after its prefix was cached", async () => {
    const requests = QUESTIONS.map((question) => request(PREFIX + question));
    const together = await Promise.all(requests.map((r) => engine.complete(r)));
    const backwards = (await Promise.all(requests.toReversed().map((r) => engine.complete(r)))).toReversed();
    const alone = await engine.complete(requests[5] as CompletionRequest);
    const fresh = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 1 });
    const uncached = await fresh.complete(requests[5] as CompletionRequest);
    await fresh.close();
    expect(backwards.map(content)).toEqual(together.map(content));
    expect(content(alone)).toEqual(content(together[5] as Completion));
    expect(content(uncached)).toEqual(content(together[5] as Completion));
    expect(uncached.cachedPromptTokens).toBe(0);
    // The shared few-shot prefix was computed once and taken over by the rest.
    const prefixTokens = engine.tokenizer.encode(PREFIX).length;
    expect(backwards.filter(({ cachedPromptTokens }) => cachedPromptTokens >= prefixTokens - 2).length).toBe(12);
  });

  it("ends before a stop string that spans tokens, and does not return it", async () => {
    const free = await engine.complete(request(PREFIX + QUESTIONS[0], { stop: [] }));
    const middle = Math.floor(free.text.length / 2);
    const stop = free.text.slice(middle, middle + 7);
    const stopped = await engine.complete(request(PREFIX + QUESTIONS[0], { stop: ["never there", stop] }));
    expect(stopped.text).toBe(free.text.slice(0, free.text.indexOf(stop)));
    expect(stopped.finishReason).toBe("stop");
    expect(stopped.tokenIds.length).toBeLessThan(free.tokenIds.length);
  });

  it("is cut at maxTokens and says so", async () => {
    const cut = await engine.complete(request(PREFIX + QUESTIONS[1], { maxTokens: 5, stop: [] }));
    expect(cut.finishReason).toBe("length");
    expect(cut.tokenIds.length).toBe(5);
    expect(cut.text).toBe(engine.tokenizer.decode(cut.tokenIds));
  });

  it("follows its seed at a temperature", async () => {
    const ask = (seed: string): Promise<Completion> =>
      engine.complete(request(QUESTIONS[2] as string, { temperature: 1.5, seed }));
    const [a, again, b, c] = await Promise.all([ask("a"), ask("a"), ask("b"), ask("c")]);
    expect(content(again)).toEqual(content(a));
    expect(new Set([a, b, c].map(({ text }) => text)).size).toBeGreaterThan(1);
  });

  it("ends where the context does", async () => {
    const ids = engine.tokenizer.encode(PREFIX);
    const prompt = Array.from({ length: engine.config.contextLength - 3 }, (_, i) => ids[i % ids.length] as number);
    const completion = await engine.complete({ ...request(""), prompt, stop: [] });
    expect(completion.tokenIds.length).toBeLessThanOrEqual(3);
  });

  it("of a prompt that leaves no room is refused, with both lengths", async () => {
    const { contextLength } = engine.config;
    const prompt = Array<number>(contextLength).fill(5);
    await expect(engine.complete({ ...request(""), prompt })).rejects.toThrow(`${contextLength} tokens`);
    await expect(engine.complete({ ...request(""), prompt: [] })).rejects.toThrow("empty");
  });

  it("can be aborted while others go on", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const aborted = engine.complete(request(PREFIX + QUESTIONS[3], { stop: [] }), controller.signal);
    const other = engine.complete(request(PREFIX + QUESTIONS[4]));
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect((await other).text.length).toBeGreaterThan(0);
  });
});

describe("scoring", () => {
  it("gives the log-probabilities that generation gave, and sound routing data", async () => {
    const asked = request(PREFIX + QUESTIONS[6]);
    const completion = await engine.complete(asked);
    const tokens = [...asked.prompt, ...completion.tokenIds];
    const { logprobs, routing, invariants } = await engine.score({ tokens });
    const generated = logprobs.subarray(asked.prompt.length - 1);
    expect(generated.length).toBe(completion.tokenIds.length);
    for (const [i, logprob] of (completion.logprobs ?? []).entries()) expect(generated[i]).toBeCloseTo(logprob, 3);
    expect(routing.nTokens).toBe(tokens.length - 1);
    expect(routing.layers).toEqual([1, 2, 3, 4, 5]);
    expect(routing.topkIds.length).toBe(5 * (tokens.length - 1) * routing.nExpertsAct);
    expect(invariants).toMatchObject({ broken: 0, violations: [] });
    expect(invariants.checked).toBe(routing.topkIds.length);
  });

  it("run token by token, it is what generation was, to the bit, alone and among others", async () => {
    const asked = request(PREFIX + QUESTIONS[8], { routing: true, checkRouting: true });
    const completion = await engine.complete(asked);
    const tokens = [...asked.prompt, ...completion.tokenIds];
    const score = { tokens, decodeFrom: asked.prompt.length - 1 };
    const [alone, busy] = [await engine.score(score), await amongOthers(() => engine.score(score))];
    expect(busy).toEqual(alone);
    expect([...alone.logprobs.subarray(asked.prompt.length - 1)]).toEqual(completion.logprobs?.map(Math.fround));
    expect(alone.routing).toEqual(completion.routing);
    expect(alone.invariants).toEqual({ checked: alone.routing.topkIds.length, broken: 0, violations: [] });
    // 5 MoE layers, 4 experts per token: every decode step, and nothing of the prompt.
    expect(completion.invariants).toEqual({ checked: completion.tokenIds.length * 20, broken: 0, violations: [] });
  });

  it("agrees between the two routings to the last bits, and only that far", async () => {
    const reference = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "reference", concurrency: 1 });
    const tokens = engine.tokenizer.encode(PREFIX + QUESTIONS[7]);
    const [a, b] = [await reference.score({ tokens }), await engine.score({ tokens })];
    await reference.close();
    let largest = 0;
    for (const [i, logprob] of a.logprobs.entries())
      largest = Math.max(largest, Math.abs(logprob - (b.logprobs[i] as number)));
    expect(largest).toBeLessThan(1e-3);
    // The two sum a token's experts in different orders: equal bits would mean that one of them was not run.
    expect(largest).toBeGreaterThan(0);
  });
});

describe("a checkpoint that cannot be used", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "fusecheck-checkpoint-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const broken = (name: string, breakIt: (dir: string) => void): string => {
    const copy = join(dir, name);
    cpSync(MODEL_DIR, copy, { recursive: true });
    breakIt(copy);
    return copy;
  };
  const editConfig = (folder: string, change: (config: Record<string, unknown>) => void): void => {
    const path = join(folder, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    change(config);
    writeFileSync(path, JSON.stringify(config));
  };
  const cases: readonly [string, (dir: string) => void, RegExp][] = [
    ["no config", (d) => rmSync(join(d, "config.json")), /config\.json/],
    ["truncated weights", (d) => truncateSync(join(d, "model.safetensors"), 1_000_000), /model\.safetensors/],
    ["foreign weights", (d) => writeFileSync(join(d, "model.safetensors"), "GGUF and more"), /model\.safetensors/],
    ["another family", (d) => editConfig(d, (c) => (c["model_type"] = "llama")), /model_type is "llama"/],
    [
      "shapes that do not fit",
      (d) => editConfig(d, (c) => (c["hidden_size"] = 128)),
      /shape \[.*\], but .*config\.json implies/,
    ],
    ["a hostile size", (d) => editConfig(d, (c) => (c["vocab_size"] = 2 ** 53)), /vocab_size must be/],
    ["no tokenizer", (d) => rmSync(join(d, "tokenizer.json")), /tokenizer\.json/],
  ];
  it.each(cases)("%s: one clear error", async (name, breakIt, message) => {
    const modelDir = broken(name.replaceAll(" ", "-"), breakIt);
    const opening = EmbeddedEngine.open({ modelDir, routing: "fused", concurrency: 1 });
    await expect(opening).rejects.toThrow(message);
    await expect(opening).rejects.toHaveProperty("name", "UserError");
  });
});

describe("outputs of a sequence that is given", () => {
  it("are every MoE layer's and the completion's logits, and change nothing else", async () => {
    const tokens = engine.tokenizer.encode(PREFIX + QUESTIONS[3]);
    const decodeFrom = tokens.length - 4;
    const plain = await engine.score({ tokens, decodeFrom });
    const { outputs, ...same } = await amongOthers(() => engine.score({ tokens, decodeFrom, outputs: true }));
    expect(same).toEqual(plain);
    const { hiddenSize, vocabSize, layers, values, logits } = outputs!;
    expect(layers).toEqual(plain.routing.layers);
    expect(values.map(({ length }) => length)).toEqual(layers.map(() => (tokens.length - 1) * hiddenSize));
    expect(logits).toHaveLength(3 * vocabSize);
    // The logits are those that the log-probabilities come from.
    for (const [at, row] of [0, 1, 2].entries()) {
      const own = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
      const total = Math.log(own.reduce((sum, logit) => sum + Math.exp(logit), 0));
      const target = tokens[decodeFrom + at + 1] as number;
      expect(own[target]! - total).toBeCloseTo(plain.logprobs[decodeFrom + at]!, 4);
    }
  });

  it("are only had token by token", async () => {
    await expect(engine.score({ tokens: [5, 6, 7], outputs: true })).rejects.toThrow(/decodeFrom/);
  });
});
