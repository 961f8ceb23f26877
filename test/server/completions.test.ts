import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { joined, testServer } from "./start.ts";
import type { ChoiceBody, Logprobs, Reply } from "./start.ts";

const EXAMPLES = [11, 12, 13].map((index) => synthProblem("train", index));
const PREFIX = EXAMPLES.map(({ question, answer }) => `Question: ${question}\nAnswer: ${answer}\n\n`).join("");
const [FIRST, SECOND] = [100, 101].map((i) => `${PREFIX}Question: ${synthProblem("train", i).question}\nAnswer:`) as [
  string,
  string,
];
const GREEDY = { temperature: 0, max_tokens: 60, stop: ["Question:"] };

const server = testServer();
let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 1 });
});
afterAll(() => engine.close());

const ask = (body: object): Promise<Reply> => server.post("/completions", { ...GREEDY, ...body });
const choiceOf = async (body: object): Promise<ChoiceBody> => (await ask(body)).body.choices[0] as ChoiceBody;

describe("a completion", () => {
  it("is the engine's, in the protocol's shape", async () => {
    const ids = engine.tokenizer.encode(FIRST);
    const request = { prompt: ids, maxTokens: 60, stop: ["Question:"], temperature: 0, seed: "", logprobs: false };
    const own = await engine.complete(request);
    const { status, body } = await ask({ prompt: FIRST, model: "abacus-8m" });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^cmpl-[\w-]{36}$/),
      object: "text_completion",
      created: expect.closeTo(Date.now() / 1000, -3),
      model: "abacus-8m",
      system_fingerprint: expect.stringMatching(/^fusecheck-[\d.]+-fused$/),
      choices: [{ index: 0, text: own.text, logprobs: null, finish_reason: own.finishReason }],
      usage: {
        prompt_tokens: ids.length,
        completion_tokens: own.tokenIds.length,
        total_tokens: ids.length + own.tokenIds.length,
      },
    });
    expect(own.text).not.toBe("");
  });

  it("is the same for a text, its token ids, and a list of either", async () => {
    const [a, b] = [engine.tokenizer.encode(FIRST), engine.tokenizer.encode(SECOND)];
    const texts = await Promise.all(
      [FIRST, a, [FIRST, SECOND], [a, b]].map(async (prompt) => (await ask({ prompt })).body.choices),
    );
    const alone = (choices: readonly ChoiceBody[] | undefined): unknown => choices?.map(({ text }) => text);
    expect(texts[2]?.map(({ index }) => index)).toEqual([0, 1]);
    expect(texts[2]?.[0]?.text).not.toBe(texts[2]?.[1]?.text);
    expect(alone(texts[3])).toEqual(alone(texts[2]));
    expect([alone(texts[0]), alone(texts[1])]).toEqual([[texts[2]?.[0]?.text], [texts[2]?.[0]?.text]]);
  });

  it("ends at a stop text, given as a text or in a list, without it", async () => {
    const free = await choiceOf({ prompt: FIRST, stop: null });
    const stop = free.text.slice(10, 16);
    for (const given of [stop, ["never", stop]]) {
      const { text, finish_reason: reason } = await choiceOf({ prompt: FIRST, stop: given });
      expect([text, reason]).toEqual([free.text.slice(0, free.text.indexOf(stop)), "stop"]);
    }
  });

  it("has 16 tokens where the client does not say, as in the protocol", async () => {
    const { body } = await ask({ prompt: FIRST, max_tokens: null, stop: null });
    expect([body.usage?.completion_tokens, body.choices[0]?.finish_reason]).toEqual([16, "length"]);
  });

  it("goes on after its end where that is asked for", async () => {
    // In its chat template the model knows where its answer ends.
    const prompt = engine.tokenizer.encodeChat([{ role: "user", content: synthProblem("train", 100).question }]);
    const asked = { prompt, stop: null, max_tokens: 300, return_token_ids: true };
    const ended = await choiceOf(asked);
    const further = await choiceOf({ ...asked, ignore_eos: true });
    expect([ended.finish_reason, further.finish_reason]).toEqual(["stop", "length"]);
    expect(further.token_ids?.length).toBe(300);
    expect(further.token_ids?.slice(0, ended.token_ids?.length)).toEqual(ended.token_ids);
    expect(ended.prompt_token_ids).toEqual(prompt);
  });

  it("follows its seed, and n of one prompt differ", async () => {
    const drawn = { prompt: "Question:", temperature: 1.5, n: 3, seed: 7, stop: null };
    const [a, again] = await Promise.all([ask(drawn), ask(drawn)]);
    const texts = a.body.choices.map(({ text }) => text);
    expect(again.body.choices.map(({ text }) => text)).toEqual(texts);
    expect(new Set(texts).size).toBe(3);
    expect(a.body.usage).toMatchObject({ prompt_tokens: 2, completion_tokens: 180 });
  });
});

describe("log-probabilities", () => {
  it("name each token, where it begins, and what else it might have been", async () => {
    const { text, logprobs, token_ids: ids } = await choiceOf({ prompt: FIRST, logprobs: 3, return_token_ids: true });
    const { tokens, token_logprobs: own, top_logprobs: top, text_offset: offsets } = logprobs as Logprobs;
    expect([tokens.length, own.length, top.length, offsets.length]).toEqual(Array(4).fill(ids?.length));
    expect(tokens.join("").startsWith(text)).toBe(true);
    expect(offsets.map((at, i) => text.slice(at, at + (tokens[i] ?? "").length))).toEqual(
      tokens.map((token, i) => text.slice(offsets[i] as number).slice(0, token.length)),
    );
    for (const [i, row] of top.entries()) {
      expect(Object.keys(row ?? {}).length).toBe(3);
      // Greedy: the token is its own likeliest candidate, to the bit.
      expect(Math.max(...Object.values(row ?? {}))).toBe(own[i]);
      expect(row?.[tokens[i] as string]).toBe(own[i]);
    }
  });

  it("of an echoed prompt are what scoring gives, as lm-eval reads them", async () => {
    const ids = engine.tokenizer.encode(FIRST);
    const score = await engine.score({ tokens: ids });
    const asked = { prompt: ids, max_tokens: 1, logprobs: 1, echo: true, stop: null };
    const { text, logprobs } = await choiceOf(asked);
    const { tokens, token_logprobs: own, top_logprobs: top, text_offset: offsets } = logprobs as Logprobs;
    expect(text.startsWith(FIRST)).toBe(true);
    expect(tokens.join("")).toBe(text);
    expect(own.slice(0, -1)).toEqual([null, ...score.logprobs]);
    expect(own.length).toBe(ids.length + 1);
    expect(top[0]).toBe(null);
    for (const [i, row] of top.entries()) if (row !== null) expect(row[tokens[i] as string]).toBe(own[i]);
    // Some of the prompt's tokens were the likeliest, and some were not.
    const greedy = top.slice(1).map((row, i) => Math.max(...Object.values(row ?? {})) === own[i + 1]);
    expect(new Set(greedy).size).toBe(2);
    expect(offsets.every((at, i) => text.startsWith(tokens[i] as string, at))).toBe(true);
  });

  it("of a prompt alone come without anything generated", async () => {
    const { body } = await ask({ prompt: "Question: 1 + 1?", max_tokens: 0, logprobs: 0, echo: true });
    expect(body.choices[0]?.text).toBe("Question: 1 + 1?");
    expect(body.usage?.completion_tokens).toBe(0);
    expect(body.choices[0]?.logprobs?.tokens.join("")).toBe("Question: 1 + 1?");
  });

  it("count a character's offset once, however many tokens it takes", async () => {
    const prompt = "a 🦆 €b";
    const { logprobs } = await choiceOf({ prompt, max_tokens: 0, logprobs: 0, echo: true });
    const { tokens, text_offset: offsets } = logprobs as Logprobs;
    expect(tokens.some((token) => token.startsWith(String.raw`bytes:\x`))).toBe(true);
    expect(offsets.at(-1)).toBe(Array.from(prompt).length - 1);
    expect(offsets.toSorted((a, b) => a - b)).toEqual(offsets);
  });
});

describe("a stream", () => {
  it("is the same answer, token by token", async () => {
    const asked = { ...GREEDY, prompt: FIRST, logprobs: 2, return_token_ids: true };
    const whole = (await ask(asked)).body;
    const { events, done } = await server.stream("/completions", { ...asked, stream_options: { include_usage: true } });
    const usage = events.at(-1);
    expect(done).toBe(true);
    expect(usage).toMatchObject({ choices: [], usage: whole.usage });
    const pieces = events.slice(0, -1);
    expect(pieces.every((event) => event.usage === null && event.choices.length === 1)).toBe(true);
    expect(new Set(events.map(({ id }) => id)).size).toBe(1);
    expect(joined(pieces)).toEqual(whole.choices[0]);
    // A piece per token, and the prompt's tokens in the first alone.
    expect(pieces.map(({ choices }) => choices[0]?.token_ids?.length)).toEqual(
      Array(whole.usage?.completion_tokens).fill(1),
    );
    expect(pieces.filter(({ choices }) => choices[0]?.prompt_token_ids !== undefined).length).toBe(1);
    expect(pieces.filter(({ choices }) => choices[0]?.finish_reason !== null).length).toBe(1);
  });

  it("counts as it goes where that is asked for", async () => {
    const options = { include_usage: true, continuous_usage_stats: true };
    const { events } = await server.stream("/completions", { ...GREEDY, prompt: "Question:", stream_options: options });
    expect(events.slice(0, -1).map(({ usage }) => usage?.completion_tokens)).toEqual(
      Array.from({ length: events.length - 1 }, (_, i) => i + 1),
    );
    expect(events.at(-1)?.usage).toEqual(events.at(-2)?.usage);
  });

  it("of an echo, of several prompts and answers, is the same too", async () => {
    const asked = {
      ...GREEDY,
      prompt: [FIRST, "Question: 🦆"],
      n: 2,
      temperature: 1,
      seed: 3,
      echo: true,
      logprobs: 1,
    };
    const whole = (await ask(asked)).body;
    const { events, done } = await server.stream("/completions", asked);
    expect([done, whole.choices.length]).toEqual([true, 4]);
    for (const choice of whole.choices) {
      const { token_ids: ids, ...streamed } = joined(events, choice.index);
      expect(ids).toEqual([]);
      expect(streamed).toEqual(choice);
    }
  });

  it("never sends the beginning of a stop text, nor half a character", async () => {
    const prompts = Array.from(
      { length: 8 },
      (_, i) => `Question: ${synthProblem("train", 200 + i).question}\nAnswer:`,
    );
    const asked = { ...GREEDY, prompt: prompts, temperature: 3, seed: 5, max_tokens: 120, stop: ["es", " \n", "0 a"] };
    const whole = (await ask(asked)).body.choices;
    const { events } = await server.stream("/completions", asked);
    expect(whole.map((_, i) => joined(events, i).text)).toEqual(whole.map(({ text }) => text));
    expect(new Set(whole.map(({ finish_reason: reason }) => reason))).toContain("stop");
  });
});
