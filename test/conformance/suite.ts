/** One suite for every runner, whatever engine stands behind it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EngineLostError } from "../../runners/runner.ts";
import type { Answer, AskOptions, Runner, RunnerPrompt } from "../../runners/runner.ts";
import type { Duty, Subject } from "./subject.ts";

const GREEDY: AskOptions = { maxTokens: 12, stop: [], temperature: 0, seed: "1234:0" };

const QUESTION = "Question: Ann has 3 red and 4 blue pens. How many pens does Ann have?\nAnswer:";

export function conforms(subject: Subject): void {
  describe(`runner: ${subject.name}`, () => {
    let runner: Runner;
    beforeAll(async () => {
      runner = await subject.open();
    });
    afterAll(() => subject.close());

    const ask = (
      prompt: RunnerPrompt,
      options: Partial<AskOptions> = {},
      signal: AbortSignal = new AbortController().signal,
    ): Promise<Answer> => runner.complete(prompt, { ...GREEDY, ...options }, signal);

    /** A difference that is known must still be there: a duty that is done after all has no place in the table. */
    const duty = (name: Duty, test: () => Promise<void>): void => {
      const known = subject.differs[name];
      const register = known === undefined ? it : it.fails;
      register(known === undefined ? name : `${name} (known difference: ${known})`, test);
    };

    duty("completes a prompt, and says why it ended and what it took", async () => {
      const answer = await ask(subject.prompt(QUESTION));
      expect(answer.text).not.toBe("");
      expect(["stop", "length"]).toContain(answer.finishReason);
      expect(answer.promptTokens).toBeGreaterThan(0);
      expect(answer.completionTokens).toBeGreaterThan(0);
      expect(answer.completionTokens).toBeLessThanOrEqual(GREEDY.maxTokens);
    });

    duty("gives the same answer to the same prompt, alone or among others", async () => {
      const prompts = ["1 + 1 =", "Once", QUESTION, "two plus two", "pens"].map(subject.prompt);
      const alone: string[] = [];
      for (const prompt of prompts) alone.push((await ask(prompt)).text);
      expect(new Set(alone).size).toBeGreaterThan(1);
      const together = await Promise.all([...prompts, ...prompts].map(async (prompt) => (await ask(prompt)).text));
      expect(together).toEqual([...alone, ...alone]);
    });

    duty("stops at max_tokens and says so", async () => {
      const long = await ask(subject.prompt(QUESTION), { maxTokens: 8 });
      const short = await ask(subject.prompt(QUESTION), { maxTokens: 3 });
      expect([short.completionTokens, short.finishReason]).toEqual([3, "length"]);
      expect(short.text.length).toBeLessThan(long.text.length);
      expect(long.text.startsWith(short.text)).toBe(true);
    });

    duty("ends before a stop string, which is no part of the text", async () => {
      const { text } = await ask(subject.prompt(QUESTION));
      const stop = middleOf(text);
      const stopped = await ask(subject.prompt(QUESTION), { stop: [stop] });
      expect(stopped.text).toBe(text.slice(0, text.indexOf(stop)));
      expect(stopped.finishReason).toBe("stop");
    });

    duty("knows any number of stop strings", async () => {
      const { text } = await ask(subject.prompt(QUESTION));
      const stop = middleOf(text);
      const others = Array.from({ length: 8 }, (_, i) => `never ${i} said`);
      const stopped = await ask(subject.prompt(QUESTION), { stop: [...others, stop] });
      expect(stopped).toMatchObject({ text: text.slice(0, text.indexOf(stop)), finishReason: "stop" });
    });

    duty("counts the prompt's tokens: more for a longer prompt", async () => {
      const short = await ask(subject.prompt("1 + 1 ="), { maxTokens: 1 });
      const long = await ask(subject.prompt(QUESTION.repeat(3)), { maxTokens: 1 });
      expect([short.completionTokens, long.completionTokens]).toEqual([1, 1]);
      expect(long.promptTokens).toBeGreaterThan(2 * short.promptTokens);
    });

    duty("names the tokens that it generated", async () => {
      const { tokenIds, completionTokens } = await ask(subject.prompt(QUESTION));
      expect(tokenIds).toHaveLength(completionTokens);
    });

    duty("samples the same for the same seed, and something else for another", async () => {
      const drawn = (seed: string): Promise<Answer> => ask(subject.prompt(QUESTION), { temperature: 1, seed });
      const [first, again, ...others] = [await drawn("a"), await drawn("a"), await drawn("b"), await drawn("c")];
      expect(again.text).toBe(first.text);
      expect(others.some(({ text }) => text !== first.text)).toBe(true);
    });

    duty("leaves a request that is aborted, with the reason, and goes on", async () => {
      const controller = new AbortController();
      const asked = ask(subject.prompt(QUESTION), { maxTokens: subject.longTokens }, controller.signal);
      setTimeout(() => controller.abort(new Error("enough")), 30);
      await expect(asked).rejects.toThrow("enough");
      expect((await ask(subject.prompt("1 + 1 ="))).text).not.toBe("");
    });

    duty("starts nothing for a signal that was aborted before", async () => {
      await expect(ask(subject.prompt(QUESTION), {}, AbortSignal.abort(new Error("too late")))).rejects.toThrow(
        "too late",
      );
    });

    duty("rejects, with a reason, what the engine refuses, and goes on", async () => {
      const { prompt, reason } = subject.refused;
      const error: unknown = await ask(prompt).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(Error);
      // That would end the run: only this request is at fault.
      expect(error).not.toBeInstanceOf(EngineLostError);
      expect((error as Error).message).toMatch(reason);
      expect((await ask(subject.prompt("1 + 1 ="))).text).not.toBe("");
    });

    duty("is given a prompt and a completion, and says how likely each token was and where it was routed", async () => {
      const { tokenIds = [], promptTokens } = await ask(subject.prompt(QUESTION));
      const signal = new AbortController().signal;
      const scored = await runner.score?.(subject.prompt(QUESTION), tokenIds, signal);
      expect(scored?.problem).toBeUndefined();
      expect(scored?.inputIds).toHaveLength(promptTokens + tokenIds.length - 1);
      expect(scored?.inputIds.slice(promptTokens)).toEqual(tokenIds.slice(0, -1));
      expect(scored?.logprobs).toHaveLength(tokenIds.length);
      expect([...(scored?.logprobs ?? [])].every((logprob) => logprob <= 0 && logprob > -20)).toBe(true);
      const { nTokens = 0, layers = [], nExpertsAct = 0, topkIds = [] } = scored?.routing ?? {};
      expect(nTokens).toBe(scored?.inputIds.length);
      expect(topkIds).toHaveLength(layers.length * nTokens * nExpertsAct);
    });

    duty("can be closed again and again, and answers no more", async () => {
      await runner.close();
      await runner.close();
      await expect(ask(subject.prompt("1 + 1 ="))).rejects.toThrow(/./);
    });
  });
}

/** A piece of a text that is neither its start nor its end. */
function middleOf(text: string): string {
  const piece = text
    .slice(Math.floor(text.length / 2))
    .trimStart()
    .slice(0, 2);
  expect(text.indexOf(piece)).toBeGreaterThan(0);
  return piece;
}
