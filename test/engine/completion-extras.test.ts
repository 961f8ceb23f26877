import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import type { CompletionProgress, CompletionRequest } from "../../engine/requests.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { MODEL_DIR } from "./model-dir.ts";

const PREFIX = [11, 12, 13]
  .map((index) => synthProblem("train", index))
  .map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n\n`)
  .join("");
const TEXTS = Array.from(
  { length: 6 },
  (_, i) => `${PREFIX}Question: ${synthProblem("train", 100 + i).question}\nAnswer:`,
);

let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 6 });
});
afterAll(() => engine.close());

function request(text: string, changes: Partial<CompletionRequest> = {}): CompletionRequest {
  const prompt = engine.tokenizer.encode(text);
  return { prompt, maxTokens: 60, stop: ["Question:"], temperature: 0, seed: "1", logprobs: true, ...changes };
}

describe("progress", () => {
  it("tells of every token but the last, and changes nothing", async () => {
    const asked = request(TEXTS[0] as string, { topLogprobs: 2 });
    const silent = await engine.complete(asked);
    const told: CompletionProgress[] = [];
    const completion = await engine.complete(asked, undefined, (progress) => told.push(progress));
    expect({ ...completion, cachedPromptTokens: 0 }).toEqual({ ...silent, cachedPromptTokens: 0 });
    expect(told.map(({ tokenId }) => tokenId)).toEqual(completion.tokenIds.slice(0, -1));
    expect(told.map(({ logprob }) => logprob)).toEqual(completion.logprobs?.slice(0, -1));
    expect(told.map(({ topLogprobs }) => topLogprobs)).toEqual(completion.topLogprobs?.slice(0, -1));
    const text = told.map((progress) => progress.text).join("");
    expect(text.length).toBeGreaterThan(completion.text.length / 2);
    expect(completion.text.startsWith(text)).toBe(true);
  });
});

describe("alternatives", () => {
  it("of a greedy choice begin with it, to the bit; of a given sequence they hold its own numbers", async () => {
    const asked = request(TEXTS[1] as string, { topLogprobs: 3 });
    const { tokenIds, logprobs, topLogprobs = [] } = await engine.complete(asked);
    expect(topLogprobs.map(([first]) => first)).toEqual(
      tokenIds.map((tokenId, i) => ({ tokenId, logprob: logprobs?.[i] })),
    );
    const tokens = [...asked.prompt, ...tokenIds];
    const score = await engine.score({ tokens, topLogprobs: 3 });
    const plain = await engine.score({ tokens });
    expect(score.logprobs).toEqual(plain.logprobs);
    expect([score.topLogprobs?.length, plain.topLogprobs]).toEqual([tokens.length - 1, undefined]);
    const own = (score.topLogprobs ?? []).map((row, i) => row.find(({ tokenId }) => tokenId === tokens[i + 1]));
    const found = own.flatMap((candidate, i) =>
      candidate === undefined ? [] : [[candidate.logprob, score.logprobs[i]]],
    );
    expect(found.length).toBeGreaterThanOrEqual(tokenIds.length);
    expect(found.every(([a, b]) => a === b)).toBe(true);
  });
});

describe("routing of a completion", () => {
  it("is that of teacher forcing on the same tokens, alone or among others", async () => {
    const requests = TEXTS.map((text) => request(text, { routing: true }));
    // The first of them fills caches that the others could take their prefix from.
    const before = await engine.complete(request(TEXTS[0] as string));
    const among = await Promise.all(requests.map((each) => engine.complete(each)));
    expect(among[0]?.text).toBe(before.text);
    for (const [i, { routing, tokenIds, cachedPromptTokens }] of among.entries()) {
      const tokens = [...(requests[i] as CompletionRequest).prompt, ...tokenIds];
      const score = await engine.score({ tokens });
      expect(cachedPromptTokens).toBe(0);
      const floats = { topkWeights: 0, margins: 0, close: 0 };
      expect({ ...routing, ...floats }).toEqual({ ...score.routing, ...floats });
      const [close, ofScore] = [routing?.close, score.routing.close];
      expect(close?.rows).toEqual(ofScore?.rows);
      const scores = [...(close?.scores ?? [])];
      expect(Math.max(0, ...scores.map((each, at) => Math.abs(each - (ofScore?.scores[at] as number))))).toBeLessThan(
        1e-4,
      );
      const weights = [...(routing?.topkWeights ?? [])];
      expect(Math.max(...weights.map((w, at) => Math.abs(w - (score.routing.topkWeights[at] as number))))).toBeLessThan(
        1e-4,
      );
    }
    const alone = await engine.complete(requests[3] as CompletionRequest);
    expect(alone.routing).toEqual(among[3]?.routing);
  });
});

it("goes on past its end where asked to", async () => {
  const prompt = engine.tokenizer.encodeChat([{ role: "user", content: synthProblem("train", 100).question }]);
  const asked = { ...request(""), prompt, stop: [], maxTokens: 300 };
  const [ended, further] = [await engine.complete(asked), await engine.complete({ ...asked, ignoreEos: true })];
  expect([ended.finishReason, further.finishReason, further.tokenIds.length]).toEqual(["stop", "length", 300]);
  expect(further.tokenIds.slice(0, ended.tokenIds.length)).toEqual(ended.tokenIds);
  expect(engine.config.eosTokenIds).toContain(ended.tokenIds.at(-1));
});

it("a scoring that nobody waits for any more is given up", async () => {
  const controller = new AbortController();
  const tokens = Array.from({ length: 2048 }, (_, i) => 7 + (i % 2000));
  const scoring = engine.score({ tokens }, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await expect(scoring).rejects.toBe(reason);
  await expect(engine.ping()).resolves.toEqual(undefined);
});

it("a closed engine answers no ping", async () => {
  const other = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "reference", concurrency: 1 });
  await other.ping();
  await other.close();
  await expect(other.ping()).rejects.toThrow("closed");
});
