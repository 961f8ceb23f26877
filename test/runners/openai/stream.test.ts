/** Streams, however they are cut into pieces on their way. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttemptError } from "../../../runners/openai/failure.ts";
import type { Completion } from "../../../runners/openai/completion.ts";
import { readCompletion } from "../../../runners/openai/read-reply.ts";
import { redactor } from "../../../runners/openai/secrets.ts";

const USED = { usage: { prompt_tokens: 3, completion_tokens: 4 } };

function piece(text: string, finish_reason: string | null = null): string {
  return JSON.stringify({ choices: [{ index: 0, text, finish_reason }] });
}

const PARTS = [
  piece("Sie "),
  piece("zahlt 2 € "),
  piece("\u{1f986}\u{1f986}", "length"),
  JSON.stringify({ choices: [], ...USED }),
  "[DONE]",
];
const WHOLE = {
  text: "Sie zahlt 2 € \u{1f986}\u{1f986}",
  finishReason: "length",
  usage: { promptTokens: 3, completionTokens: 4 },
};

function sse(parts: readonly string[], end = "\n"): string {
  return parts.map((part) => `data: ${part}${end}${end}`).join("");
}

async function* split(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const places = [0, ...cuts.map((cut) => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
  for (const [i, end] of places.slice(1).entries()) yield bytes.subarray(places[i], end);
}

async function read(
  text: string | AsyncIterable<Buffer>,
  { cuts = [], maxCharacters = 10_000, calls = [] }: { cuts?: number[]; maxCharacters?: number; calls?: string[] } = {},
): Promise<Completion> {
  const reply = {
    status: 200,
    sentAt: performance.now(),
    header: (name: string) => (name === "content-type" ? "text/event-stream; charset=utf-8" : undefined),
    body: typeof text === "string" ? split(Buffer.from(text), cuts) : text,
    windUp: () => void calls.push("wind up"),
  };
  return readCompletion(reply, { redact: redactor([]), maxCharacters, onWork: () => void calls.push("work") });
}

async function kind(...given: Parameters<typeof read>): Promise<string> {
  const error = await read(...given).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AttemptError);
  return (error as AttemptError).failure.kind;
}

describe("an answer", () => {
  it.each([
    ["line feeds", "\n"],
    ["carriage returns and line feeds", "\r\n"],
    ["carriage returns", "\r"],
  ])("is the same wherever the bytes are cut, with %s", async (_, end) => {
    const cuts = fc.array(fc.nat({ max: 100_000 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        expect(await read(sse(PARTS, end), { cuts: places })).toMatchObject(WHOLE);
      }),
      { numRuns: 60 },
    );
  });

  it("may come byte by byte", async () => {
    const text = sse(PARTS);
    expect(await read(text, { cuts: Array.from({ length: 1000 }, (_, i) => i) })).toMatchObject(WHOLE);
  });

  it("has pings, other fields and blank lines around it, which are no sign of work", async () => {
    const noise = ": ping\n\n\n\nretry: 10\n\nevent: message\nid: 1\n";
    const calls: string[] = [];
    const pieces = PARTS.map((part) => Buffer.from(`${noise}data:${part}\n\n`));
    async function* body(): AsyncGenerator<Buffer> {
      for (const each of pieces) {
        yield Buffer.from(": ping\n\n");
        yield each;
      }
    }
    expect(await read(body(), { calls })).toMatchObject(WHOLE);
    expect(calls).toEqual([...Array.from({ length: 4 }, () => "work"), "wind up"]);
  });

  it.each<[what: string, event: unknown, works: boolean]>([
    ["a text", { choices: [{ text: "a" }] }, true],
    ["a text of a chat", { choices: [{ delta: { content: "a" } }] }, true],
    ["a thought", { choices: [{ delta: { reasoning_content: "hm" } }] }, true],
    ["a token without a text yet", { choices: [{ text: "", token_ids: [5] }] }, true],
    ["more tokens counted", { choices: [{ text: "" }], usage: { prompt_tokens: 3, completion_tokens: 1 } }, true],
    ["a reason to end", { choices: [{ text: "", finish_reason: "stop" }] }, true],
    ["a role", { choices: [{ delta: { role: "assistant", content: "" }, finish_reason: null }] }, false],
    ["an empty text", { choices: [{ text: "", finish_reason: null, token_ids: [], logprobs: null }] }, false],
    ["no choice", { choices: [] }, false],
    ["no token counted yet", { choices: [], usage: { prompt_tokens: 3, completion_tokens: 0 } }, false],
  ])("%s shows that the model works, or does not", async (_, event, works) => {
    const calls: string[] = [];
    const whole = sse([piece("a", "stop"), "[DONE]"]);
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from(sse([JSON.stringify(event)]));
      calls.push("the rest");
      yield Buffer.from(whole);
    }
    await read(body(), { calls });
    expect(calls).toEqual([...(works ? ["work"] : []), "the rest", "work", "wind up"]);
  });

  it("a long event in many pieces is work all along; a long ping is none", async () => {
    for (const [beginning, works] of [
      ["data: ", 10],
      [": ", 0],
    ] as const) {
      const calls: string[] = [];
      async function* body(): AsyncGenerator<Buffer> {
        yield Buffer.from(": ping\n\n");
        yield Buffer.from(beginning);
        for (let i = 0; i < 9; i++) yield Buffer.from(" ");
        calls.push("the rest");
        yield Buffer.from(`${beginning === ": " ? "\n\n" : ""}${beginning === ": " ? "data: " : ""}${PARTS[2]}\n\n`);
      }
      await read(body(), { calls });
      expect(calls).toEqual([...Array.from({ length: works }, () => "work"), "the rest", "work"]);
    }
  });

  it("in one piece: bytes are work, blanks that keep the connection open are none", async () => {
    const calls: string[] = [];
    async function* body(): AsyncGenerator<Buffer> {
      for (const each of ["\n", " \r\n", '{"choices": [{"te', 'xt": "2"}]', "}"]) {
        yield Buffer.from(each);
        calls.push(each.trim());
      }
    }
    const reply = { status: 200, sentAt: 0, header: () => "application/json", body: body(), windUp: () => {} };
    const onWork = (): void => void calls.push("work");
    expect(await readCompletion(reply, { redact: redactor([]), maxCharacters: 1000, onWork })).toMatchObject({
      text: "2",
    });
    expect(calls).toEqual(["", "", "work", '{"choices": [{"te', "work", 'xt": "2"}]', "work", "}"]);
  });

  it("keeps the first reason, not an empty one, and not what comes after it", async () => {
    const parts = [piece("a", ""), piece("b", "length"), piece("", "stop"), JSON.stringify({ choices: [], ...USED })];
    expect(await read(sse([...parts, "[DONE]"]))).toMatchObject({ text: "ab", finishReason: "length" });
  });

  it("keeps the last usage of those that are counted as it grows", async () => {
    const grown = [1, 2, 3].map((n) =>
      JSON.stringify({ choices: [{ text: "x" }], usage: { prompt_tokens: 3, completion_tokens: n } }),
    );
    const parts = [...grown, piece("", "stop"), JSON.stringify({ choices: [], usage: null }), "[DONE]"];
    expect((await read(sse(parts))).usage).toEqual({ promptTokens: 3, completionTokens: 3 });
  });

  it("takes the first choice alone", async () => {
    const other = JSON.stringify({ choices: [{ index: 1, text: "other", finish_reason: "stop" }] });
    expect(await read(sse([other, ...PARTS]))).toMatchObject(WHOLE);
  });

  it("is complete without [DONE], once its end was given", async () => {
    expect(await read(sse(PARTS.slice(0, -1)))).toMatchObject(WHOLE);
  });

  it("is complete once the server is done, even if the connection then breaks", async () => {
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from(sse(PARTS));
      throw new Error("reset");
    }
    expect(await read(body())).toMatchObject(WHOLE);
  });
});

describe("a failure", () => {
  it.each([
    ["cut", sse(PARTS.slice(0, 2))],
    ["cut", ""],
    ["cut", `${sse(PARTS.slice(0, 2))}data: ${PARTS[2]}`],
    ["no-choices", sse(['{"choices": []}', "[DONE]"])],
    ["malformed", sse([PARTS[0] as string, "{oops", ...PARTS])],
    ["malformed", sse(["Infinity"])],
    ["server-error", sse([PARTS[0] as string, '{"error": {"message": "EngineDeadError", "code": 500}}', "[DONE]"])],
    ["server-error", sse(['{"object": "error", "message": "aborted"}'])],
    ["server-error", sse(['{"error": "Request failed during generation", "error_type": "generation"}'])],
    ["server-error", `${sse([PARTS[0] as string])}error: {"code": 500, "message": "slot is gone"}\n\n`],
  ])("%s: %j", async (name, text) => {
    expect(await kind(text)).toBe(name);
  });

  it("an event without an end is given up before it fills the memory", async () => {
    let sent = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      yield Buffer.from("data: ");
      for (;;) {
        sent++;
        yield Buffer.alloc(1000, "x");
      }
    }
    expect(await kind(endless(), { maxCharacters: 10_000 })).toBe("too-large");
    expect(sent).toBeLessThan(15);
  });

  it("bytes that are not UTF-8 are not guessed at", async () => {
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from([0x64, 0xff, 0xfe]);
    }
    expect(await kind(body())).toBe("malformed");
  });
});
