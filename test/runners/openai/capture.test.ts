/** Captures from servers, over HTTP, in every form. */
import { describe, expect, it } from "vitest";
import { UserError } from "../../../errors.ts";
import { compareRouting } from "../../../metrics/routing-parity.ts";
import type { OpenAiRunner } from "../../../runners/openai/index.ts";
import { pairCaptures } from "../../../runners/routed-experts/index.ts";
import type { CapturedSequence, CaptureRequest } from "../../../runners/routed-experts/index.ts";
import { EngineLostError } from "../../../runners/runner.ts";
import type { RunnerPrompt } from "../../../runners/runner.ts";
import { ask, chat, completion, openOn } from "./ask.ts";
import { characterIds, LAYOUT, logprobOf, openOnCaptures, PATIENT, routeOf } from "./capture-server.ts";
import type { Giving } from "./capture-server.ts";

const TEXT = "How many apples does it take to fill a basket of 40?";
const PROMPT = completion(TEXT);
const PROMPT_IDS = characterIds(TEXT);
const GIVEN = { kind: "given", completion: [97, 98, 99] } as const;
const GENERATED = { kind: "generated", maxTokens: 6, stop: [] } as const;
const ALL: readonly Giving[] = ["sglext", "sglext-of-choice", "vllm", "vllm-0.21", "prime-rl"];

function capture(
  runner: OpenAiRunner,
  request: CaptureRequest,
  prompt: RunnerPrompt = PROMPT,
  signal = new AbortController().signal,
): Promise<CapturedSequence> {
  if (runner.capture === undefined) throw new Error("the runner has no capture");
  return runner.capture(prompt, request, signal);
}

/** As the server's model routes a sequence, without its last token: [L, T, K]. */
function routed(sequence: readonly number[]): number[] {
  return [1, 2].flatMap((layer) =>
    sequence.slice(0, -1).flatMap((_, row) => routeOf(sequence.slice(0, row + 1), layer)),
  );
}

describe.each(ALL)("%s", (giving) => {
  const form = giving === "prime-rl" ? { captures: { layout: LAYOUT, form: "prime-rl" } as const } : {};

  it("given tokens: routing and log-probabilities of just these", async () => {
    const { runner } = await openOnCaptures({ giving }, form);
    const { tokens, routing, logprobs } = await capture(runner, GIVEN);
    const sequence = [...PROMPT_IDS, 97, 98, 99];
    expect(tokens).toEqual({ kind: "known", prompt: PROMPT_IDS, completion: [97, 98, 99] });
    expect(routing).toMatchObject({ kind: "captured", routing: { layers: [1, 2], nTokens: sequence.length - 1 } });
    expect(routing.kind === "captured" && [...routing.routing.topkIds]).toEqual(routed(sequence));
    const expected = [52, 53, 54].map((position) => logprobOf(sequence, position));
    expect(logprobs).toEqual({ kind: "given", values: Float32Array.from(expected) });
  });

  it("generated tokens: what was said, and how it was routed", async () => {
    const { runner } = await openOnCaptures({ giving }, form);
    const { tokens, routing, logprobs } = await capture(runner, GENERATED);
    const said = tokens.kind === "known" ? tokens.completion : [];
    expect(said).toHaveLength(6);
    expect(routing.kind === "captured" && [...routing.routing.topkIds]).toEqual(routed([...PROMPT_IDS, ...said]));
    expect(logprobs.kind === "given" && logprobs.values).toHaveLength(6);
  });
});

it("weights come with prime-rl's form, and with no other", async () => {
  const packed = await openOnCaptures({ giving: "prime-rl" }, { captures: { layout: LAYOUT, form: "prime-rl" } });
  const { routing } = await capture(packed.runner, GIVEN);
  expect(routing.kind === "captured" && new Set(routing.routing.topkWeights)).toEqual(new Set([0.25]));
});

describe("a completion that is known as text only", () => {
  it("is given as the tokens that the server makes of it", async () => {
    const { runner, server } = await openOnCaptures({ giving: "vllm" });
    const asIds = await capture(runner, GIVEN);
    expect(await capture(runner, { kind: "given", completion: "abc" })).toEqual(asIds);
    const [prompt, whole, given] = server.requests.slice(2).map(({ body }) => body);
    expect([prompt?.["prompt"], whole?.["prompt"]]).toEqual([TEXT, `${TEXT}abc`]);
    expect(given?.["prompt"]).toEqual([...PROMPT_IDS, 97, 98, 99]);
  });

  it("stands behind a conversation without a start token of its own", async () => {
    const { runner, server } = await openOnCaptures({ giving: "vllm" }, { api: "chat" });
    const { tokens, routing } = await capture(runner, { kind: "given", completion: "abc" }, chat("How many?"));
    expect(tokens).toEqual({ kind: "known", prompt: characterIds("How many?"), completion: [97, 98, 99] });
    expect(routing.kind).toBe("captured");
    expect(server.requests[1]).toMatchObject({ path: "/v1/completions", body: { add_special_tokens: false } });
  });

  it("cannot be given where the server does not say its tokens", async () => {
    const { runner } = await openOnCaptures({ giving: "vllm", tellsTokenIds: false });
    const { routing } = await capture(runner, { kind: "given", completion: "abc" });
    expect(routing).toMatchObject({ kind: "absent", cause: "no-tokens" });
  });
});

describe("what is sent", () => {
  it("answers are asked for as if there were no captures", async () => {
    const { runner, server } = await openOnCaptures({ giving: "sglext" });
    const plain = await openOn({ dialect: "sglang" });
    await ask(runner, PROMPT, { maxTokens: 3 });
    await ask(plain.runner, PROMPT, { maxTokens: 3 });
    expect(server.requests[0]?.body).toEqual(plain.server.requests[0]?.body);
  });

  it("a capture counts for nothing, and has connections of its own", async () => {
    const { runner, server } = await openOnCaptures({ giving: "sglext" });
    await ask(runner, PROMPT, { maxTokens: 3 });
    const before = { ...runner.stats };
    const connections = server.connections();
    await capture(runner, GIVEN);
    expect({ ...runner.stats }).toEqual(before);
    expect(server.connections()).toBe(connections + 1);
  });

  it("given tokens go as tokens, with a single one to add, and never from the prefix cache", async () => {
    const { runner, server } = await openOnCaptures({ giving: "sglext" }, { extraBody: { priority: 1, seed: null } });
    await capture(runner, { kind: "given", completion: [97], promptIds: [7, 8] });
    await capture(runner, { kind: "given", completion: [97], promptIds: [7, 8] });
    expect(server.requests).toHaveLength(2);
    expect(server.requests[0]).toMatchObject({
      path: "/v1/completions",
      body: {
        prompt: [7, 8, 97],
        max_tokens: 1,
        temperature: 0,
        echo: true,
        logprobs: 1,
        return_token_ids: true,
        return_routed_experts: true,
        priority: 1,
      },
    });
    const salts = server.requests.map(({ body }) => body["cache_salt"]);
    expect(new Set(salts).size).toBe(2);
    expect(salts).toEqual([expect.any(String), expect.any(String)]);
  });

  it("a chat is asked once for its tokens, and then given as these", async () => {
    const { runner, server } = await openOnCaptures({ giving: "vllm" }, { api: "chat" });
    const { tokens, routing } = await capture(runner, GIVEN, chat("How many apples?", "40.", "And pears, if any?"));
    expect(server.requests.map(({ path }) => path)).toEqual(["/v1/chat/completions", "/v1/completions"]);
    expect(tokens).toMatchObject({ prompt: { length: 39 } });
    expect(routing).toMatchObject({ kind: "captured", routing: { nTokens: 41 } });
  });

  it("a cached prefix would be -1 in vLLM 0.21: a second capture is as whole as the first", async () => {
    const { runner } = await openOnCaptures({ giving: "vllm-0.21", prefixCache: true });
    const [first, second] = [await capture(runner, GENERATED), await capture(runner, GENERATED)];
    expect(second).toEqual(first);
    expect(second.routing.kind).toBe("captured");
  });

  it("nor does an attempt that was lost after its work leave something to find", async () => {
    let attempts = 0;
    const spoil = (): unknown => (attempts++ % 2 === 0 ? { error: { message: "lost on the way" } } : undefined);
    const { runner } = await openOnCaptures({ giving: "vllm-0.21", prefixCache: true, spoil });
    expect(await capture(runner, { ...GIVEN, promptIds: PROMPT_IDS })).toMatchObject({ routing: { kind: "captured" } });
    expect(await capture(runner, GENERATED)).toMatchObject({ routing: { kind: "captured" } });
    expect(attempts).toBe(4);
  });

  it("a salt that is taken away brings the cache back, and that is seen", async () => {
    const server = { giving: "vllm-0.21", prefixCache: true } as const;
    const { runner } = await openOnCaptures(server, { extraBody: { cache_salt: null } });
    await capture(runner, GIVEN);
    expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "broken", fault: "cached" } });
  });
});

describe("two variants", () => {
  it("given the same tokens, one expert that differs is found", async () => {
    const baseline = await openOnCaptures({ giving: "vllm" });
    const fused = await openOnCaptures({
      giving: "sglext",
      route: (sequence, layer) => {
        const ids = routeOf(sequence, layer);
        const other = [...Array.from({ length: 32 }).keys()].find((id) => !ids.includes(id)) as number;
        return sequence.length === 21 && layer === 2 ? [other, ...ids.slice(1)] : ids.toReversed();
      },
      next: () => 65,
    });
    const one = await capture(baseline.runner, GENERATED);
    const request = { kind: "given", completion: one.tokens.kind === "known" ? one.tokens.completion : [] } as const;
    const paired = pairCaptures(
      await capture(baseline.runner, request),
      await capture(fused.runner, { ...request, promptIds: PROMPT_IDS }),
    );
    expect(paired.tokens.kind).toBe("identical");
    if (paired.routing.kind !== "paired") throw new Error(paired.routing.reason);
    const parity = compareRouting({ docId: 5, ...paired.routing });
    expect(parity).toMatchObject({ tokensAffected: 1, firstDivergence: { doc_id: 5, position: 20, layer: 2 } });
    expect(parity.layers[0]).toMatchObject({ tokensMismatched: 0, tokensReordered: 57 });
  });

  it("that say something else are compared as far as they agree", async () => {
    const baseline = await openOnCaptures({ giving: "vllm" });
    const fused = await openOnCaptures({ giving: "vllm", next: (sequence) => (sequence.length < 54 ? 97 : 98) });
    const other = await openOnCaptures({ giving: "vllm", next: () => 97 });
    const [one, two] = [await capture(other.runner, GENERATED), await capture(fused.runner, GENERATED)];
    const paired = pairCaptures(one, two);
    expect(paired).toMatchObject({ tokens: { kind: "shared start" }, routing: { nTokens: 54 } });
    if (paired.routing.kind !== "paired") throw new Error(paired.routing.reason);
    expect(compareRouting({ docId: 0, ...paired.routing }).tokensAffected).toBe(0);
    expect(pairCaptures(await capture(baseline.runner, GENERATED), one).routing).toMatchObject({ kind: "paired" });
  });
});

describe("what the server does not give is said, not made up", () => {
  it("no tokens of the prompt: nothing can be given", async () => {
    const { runner, server } = await openOnCaptures({ giving: "vllm", tellsTokenIds: false });
    const given = await capture(runner, GIVEN);
    expect(given).toMatchObject({ tokens: { kind: "unknown" }, routing: { kind: "absent", cause: "no-tokens" } });
    expect(server.requests).toHaveLength(1);
    const generated = await capture(runner, GENERATED);
    expect(generated).toMatchObject({ tokens: { kind: "unknown" }, routing: { kind: "captured" } });
    expect(pairCaptures(generated, generated).routing).toEqual({
      kind: "not judged",
      reason: "baseline: the server does not say which tokens it ran",
    });
  });

  it.each([
    ["nothing", "no-field"],
    ["null", "null-field"],
  ] as const)("the flag is off (%s): absent, with log-probabilities all the same", async (giving, cause) => {
    const { runner } = await openOnCaptures({ giving });
    const { routing, logprobs } = await capture(runner, GIVEN);
    expect(routing).toMatchObject({ kind: "absent", cause });
    expect(routing.kind === "absent" && routing.reason).toContain("--enable-return-routed-experts");
    expect(logprobs.kind).toBe("given");
  });

  it.each([400, 422, 500])("log-probabilities of prompts refused with %d: routing all the same", async (echoStatus) => {
    const { runner, server } = await openOnCaptures({ giving: "vllm", echoStatus }, { retries: { attempts: 1 } });
    const { routing, logprobs } = await capture(runner, { ...GIVEN, promptIds: PROMPT_IDS });
    expect(routing.kind).toBe("captured");
    expect(logprobs).toEqual({ kind: "absent", reason: "the server gives no log-probabilities of given tokens" });
    expect(server.requests).toHaveLength(2);
  });

  it("vLLM's prompt_logprobs are read as well", async () => {
    const { runner } = await openOnCaptures({
      giving: "vllm",
      spoil: (response) => {
        const [choice] = response["choices"] as Record<string, unknown>[];
        const ids = (choice?.["prompt_token_ids"] ?? []) as number[];
        const byId = ids.map((id, i) => (i === 0 ? null : { [id]: { logprob: -i }, 31: { logprob: -0.5 } }));
        return { ...response, choices: [{ ...choice, logprobs: null, prompt_logprobs: byId }] };
      },
    });
    const { logprobs } = await capture(runner, GIVEN);
    expect(logprobs).toEqual({ kind: "given", values: Float32Array.of(-52, -53, -54) });
  });
});

describe("a server that runs other tokens", () => {
  it("puts a start token before what it is given", async () => {
    const { runner } = await openOnCaptures({ giving: "vllm", addsStart: true });
    const { routing, logprobs } = await capture(runner, { kind: "given", completion: [97], promptIds: PROMPT_IDS });
    expect(routing).toMatchObject({ kind: "broken", fault: "other-tokens" });
    expect(routing.kind === "broken" && routing.reason).toContain("was given 53 tokens and ran 54");
    expect(logprobs.kind).toBe("absent");
  });

  it("says that it ran another", async () => {
    const { runner } = await openOnCaptures({
      giving: "vllm",
      spoil: (response) => {
        const [choice] = response["choices"] as { prompt_token_ids: number[] }[];
        const ids = choice?.prompt_token_ids.with(3, 42);
        return { ...response, choices: [{ ...choice, prompt_token_ids: ids }] };
      },
    });
    const { routing } = await capture(runner, { ...GIVEN, promptIds: PROMPT_IDS });
    expect(routing).toMatchObject({ fault: "other-tokens" });
    expect(routing.kind === "broken" && routing.reason).toContain("was given token 32 and ran 42");
  });

  it("does not count", async () => {
    const { runner } = await openOnCaptures({ giving: "vllm", spoil: ({ usage, ...rest }) => usage && rest });
    expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "broken", fault: "other-tokens" } });
    expect(await capture(runner, GENERATED)).toMatchObject({ routing: { kind: "broken", fault: "other-tokens" } });
  });
});

it("all zeros over HTTP are a broken capture", async () => {
  const { runner } = await openOnCaptures({ giving: "vllm", route: () => [0, 0, 0, 0] });
  expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "broken", fault: "all-zero" } });
});

it("constant ids over HTTP are one, too", async () => {
  const { runner } = await openOnCaptures({ giving: "sglext", route: (_, layer) => [layer, 9, 17, 30] });
  // The prompt has 21 different letters: not enough to be sure. This one has.
  const alphabet = completion("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
  expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "captured" } });
  expect(await capture(runner, GIVEN, alphabet)).toMatchObject({ routing: { kind: "broken", fault: "constant" } });
});

describe("a server that fails", () => {
  it("is asked again, then given up with the reason", async () => {
    let requests = 0;
    const { runner } = await openOn(
      {
        dialect: "vllm",
        intercept: (request, response) => {
          if (request.method !== "POST") return false;
          requests++;
          response.writeHead(503).end("busy");
          return true;
        },
      },
      { captures: { layout: LAYOUT }, timeouts: PATIENT, retries: { attempts: 3, baseMs: 1, capMs: 2 } },
    );
    await expect(capture(runner, GIVEN)).rejects.toThrow(/completions: HTTP 503: busy, after 3 attempts/);
    expect(requests).toBe(3);
  });

  it("and is gone ends the run within seconds, not after every attempt of every doc", async () => {
    const { runner, server } = await openOnCaptures(
      { giving: "vllm" },
      { retries: { attempts: 1000, baseMs: 20, capMs: 100 }, breaker: { unreachableMs: 300 } },
    );
    expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "captured" } });
    await server.close();
    const lost = await capture(runner, GIVEN).catch((error: unknown) => error);
    expect(lost).toBeInstanceOf(EngineLostError);
    expect((lost as Error).message).toMatch(/^the server has been out of reach for [\d.]+ s: /);
    await expect(capture(runner, GIVEN)).rejects.toThrow(EngineLostError);
  });

  it("a response beyond the limit is refused in bounded memory", async () => {
    const server = { giving: "vllm", spoil: () => ({ padding: "x".repeat(200_000) }) } as const;
    const captures = { layout: LAYOUT, maxResponseBytes: 100_000 };
    const { runner } = await openOnCaptures(server, { captures, retries: { attempts: 1 } });
    await expect(capture(runner, GIVEN)).rejects.toThrow("the response is too large");
  });

  it("a capture that is not wanted any more ends at once", async () => {
    const stop = new AbortController();
    const { runner } = await openOn(
      { dialect: "vllm", intercept: ({ method }) => method === "POST" && (stop.abort(new Error("enough")), true) },
      { captures: { layout: LAYOUT }, timeouts: PATIENT },
    );
    await expect(capture(runner, GIVEN, PROMPT, stop.signal)).rejects.toThrow("enough");
  });
});

describe("options", () => {
  it("without captures there is no capture", async () => {
    const { runner } = await openOn({ dialect: "vllm" });
    expect(runner).not.toHaveProperty("capture");
  });

  it("an engine that gives no routed experts is refused, unless the form is named", async () => {
    await expect(openOn({ dialect: "atom" }, { captures: { layout: LAYOUT } })).rejects.toThrow(UserError);
    await expect(openOn({ dialect: "atom" }, { captures: { layout: LAYOUT } })).rejects.toThrow(
      "this engine's dialect gives no routed experts",
    );
    const { runner } = await openOnCaptures(
      { giving: "vllm" },
      { dialect: "openai", captures: { layout: LAYOUT, form: "vllm" } },
    );
    expect(await capture(runner, GIVEN)).toMatchObject({ routing: { kind: "captured" } });
  });

  it("captures cannot be slipped into what is timed", async () => {
    await expect(openOnCaptures({ giving: "sglext" }, { extraBody: { return_routed_experts: true } })).rejects.toThrow(
      'extra body field "return_routed_experts" would contradict',
    );
  });

  it("a completion of nothing cannot be given", async () => {
    const { runner } = await openOnCaptures({ giving: "vllm" });
    await expect(capture(runner, { kind: "given", completion: [] })).rejects.toThrow(RangeError);
  });
});
