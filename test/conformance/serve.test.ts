/** The embedded engine behind `fusecheck serve`, asked over real HTTP. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEmbeddedRunner } from "../../runners/embedded.ts";
import { openOpenAiRunner } from "../../runners/openai/index.ts";
import type { OpenAiRunnerOptions } from "../../runners/openai/index.ts";
import { readMoeLayout } from "../../runners/routed-experts/index.ts";
import type { Runner } from "../../runners/runner.ts";
import { scoreByCapture } from "../../runners/score-by-capture.ts";
import { startServer } from "../../server/index.ts";
import type { Server } from "../../server/index.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { conforms } from "./suite.ts";
import type { Subject } from "./subject.ts";

const FORMS = ["vllm", "sglang"] as const;

const servers = new Map<string, Server>();
beforeAll(async () => {
  for (const form of FORMS)
    servers.set(form, await startServer({ routing: "reference", port: 0, concurrency: 4, routedExperts: form }));
});
afterAll(async () => {
  for (const server of servers.values()) await server.close();
});

async function open(form: (typeof FORMS)[number], options: Partial<OpenAiRunnerOptions>): Promise<Runner> {
  const { baseUrl } = servers.get(form) as Server;
  const captures = { layout: readMoeLayout(MODEL_DIR) };
  const runner = await openOpenAiRunner({ env: {}, baseUrls: [baseUrl], dialect: form, captures, ...options });
  return { ...runner, score: scoreByCapture(runner) };
}

/** The two forms differ in captures alone. */
const WAYS = [
  { form: "vllm", api: "completions", stream: false },
  { form: "vllm", api: "completions", stream: true },
  { form: "vllm", api: "chat", stream: false },
  { form: "vllm", api: "chat", stream: true },
  { form: "sglang", api: "completions", stream: false },
] as const;

for (const { form, api, stream } of WAYS) {
  const prompt: Subject["prompt"] = (text) =>
    api === "chat" ? { kind: "chat", messages: [{ role: "user", content: text }] } : { kind: "completion", text };
  conforms({
    name: `fusecheck serve as ${form}, ${api}${stream ? ", streamed" : ""}`,
    open: () => open(form, { api, stream, tokenIds: true }),
    close: async () => {},
    prompt,
    refused: { prompt: prompt("pens and ".repeat(5000)), reason: /HTTP 400: .*tokens/ },
    longTokens: 1500,
    differs: {},
  });
}

describe("the engine is the same inside and behind HTTP", () => {
  const options = { maxTokens: 20, stop: [], temperature: 0, seed: "0" };
  const signal = new AbortController().signal;

  it.each(FORMS)("as %s: the same answer, the same experts, the same log-probabilities", async (form) => {
    const inside = await openEmbeddedRunner({ routing: "reference", concurrency: 1 });
    const outside = await open(form, { tokenIds: true });
    const prompt = { kind: "completion", text: "Question: How many pens are 3 pens and 4 pens?\nAnswer:" } as const;
    const [one, other] = [
      await inside.complete(prompt, options, signal),
      await outside.complete(prompt, options, signal),
    ];
    const { text, finishReason, promptTokens, completionTokens, tokenIds = [] } = one;
    expect(other).toMatchObject({ text, finishReason, promptTokens, completionTokens, tokenIds });
    const [a, b] = [await inside.score?.(prompt, tokenIds, signal), await outside.score?.(prompt, tokenIds, signal)];
    expect(b?.inputIds).toEqual(a?.inputIds);
    expect(b?.routing).toMatchObject({ layers: a?.routing?.layers, nTokens: a?.routing?.nTokens });
    const sets = (ids: Iterable<number> = []): number => [...ids].reduce((sum, id) => sum + id, 0);
    expect(sets(b?.routing?.topkIds)).toBe(sets(a?.routing?.topkIds));
    for (const [i, logprob] of [...(a?.logprobs ?? [])].entries()) expect(b?.logprobs?.[i]).toBeCloseTo(logprob, 4);
    await inside.close();
    await outside.close();
  });
});
