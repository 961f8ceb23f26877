/** Log-probabilities in the shapes in which servers give them, sound and not. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { echoedLogprobs, generatedTokens, promptLogprobs } from "../../../runners/openai/token-logprobs.ts";

const PROMPT = "Two and 2?\nAnswer:";
const COMPLETION = " 4, I say 😀.";
const GIVEN = PROMPT + COMPLETION;

/** An echo: tokens with their offsets in code points, as Python counts, and each its own number. */
function echo(names: readonly string[], { text = GIVEN, shift = 0, lengths = names }: Echoed = {}): object {
  let next = shift;
  const text_offset = names.map((_, i) => {
    const length = Array.from(lengths[i] as string).length;
    return (next += length) - length;
  });
  const token_logprobs = names.map((_, i) => (i === 0 ? null : -i));
  return { choices: [{ index: 0, text, logprobs: { tokens: names, token_logprobs, text_offset } }] };
}

interface Echoed {
  readonly text?: string;
  readonly shift?: number;
  readonly lengths?: readonly string[];
}

const NAMES = ["Two", " and", " 2", "?\n", "Answer", ":", " 4", ",", " I", " say", " ", "😀", "."];
const OWN = { kind: "given", tokens: NAMES.slice(6), logprobs: [-6, -7, -8, -9, -10, -11, -12] };

describe("an echo", () => {
  it("gives the completion's tokens, not the prompt's nor the one that was generated", () => {
    expect(echoedLogprobs(echo(NAMES), PROMPT, COMPLETION)).toEqual(OWN);
    const text = `${GIVEN} And`;
    expect(echoedLogprobs(echo([...NAMES, " And"], { text }), PROMPT, COMPLETION)).toEqual(OWN);
  });

  it("may count a start token that its text does not show", () => {
    const names = ["<|begin_of_text|>", ...NAMES, " And"];
    const logprobs = OWN.logprobs.map((each) => each - 1);
    const body = echo(names, { text: `${GIVEN} And` });
    expect(echoedLogprobs(body, PROMPT, COMPLETION)).toEqual({ ...OWN, logprobs });
    const bytes = names.with(12, "bytes:\\xf0\\x9f\\x98\\x80");
    const named = echoedLogprobs(echo(bytes, { text: `${GIVEN} And`, lengths: names }), PROMPT, COMPLETION);
    expect(named).toEqual({ ...OWN, tokens: bytes.slice(7, -1), logprobs });
  });

  it("is read by its offsets where tokens are no whole characters", () => {
    const names = NAMES.with(11, "bytes:\\xf0\\x9f\\x98\\x80");
    const body = echo(names, { lengths: NAMES });
    expect(echoedLogprobs(body, PROMPT, COMPLETION)).toEqual({ ...OWN, tokens: names.slice(6) });
  });

  it("leaves a token that is part of both to the prompt", () => {
    const names = ["Two and 2?\n", "Answer", ": 4", ",", " I say 😀."];
    expect(echoedLogprobs(echo(names), PROMPT, COMPLETION)).toMatchObject({ tokens: [",", " I say 😀."] });
  });

  it.each([
    ["the generated text alone", echo([" And"], { text: " And" }), /does not echo/],
    ["no log-probabilities", { choices: [{ text: GIVEN, logprobs: null }] }, /echoes without log-probabilities/],
    [
      "one place off: the generated token has none",
      echo(NAMES, { text: `${GIVEN} And` }),
      /lacks the generated token, so its log-probabilities are not those of its tokens/,
    ],
    [
      "lists of two lengths",
      { choices: [{ text: GIVEN, logprobs: { tokens: NAMES, token_logprobs: [0] } }] },
      /without log-probabilities/,
    ],
    [
      "tokens that make up another text, and no offsets",
      { choices: [{ text: GIVEN, logprobs: { tokens: ["a"], token_logprobs: [-1] } }] },
      /cannot be told from its tokens/,
    ],
  ])("of %s is none", (_, body, reason) => {
    expect(echoedLogprobs(body, PROMPT, COMPLETION)).toEqual({
      kind: "absent",
      reason: expect.stringMatching(reason) as string,
    });
  });

  it("never throws, whatever a server sends, and is as long as its tokens", () => {
    const list = fc.array(fc.oneof(fc.string(), fc.double(), fc.constant(null)));
    const logprobs = fc.record({ tokens: list, token_logprobs: list, text_offset: list, content: fc.anything() });
    const body = fc.oneof(
      fc.anything(),
      fc.record({ choices: fc.array(fc.record({ text: fc.constantFrom("ab", "xab"), logprobs })) }),
    );
    fc.assert(
      fc.property(body, (each) => {
        for (const read of [echoedLogprobs(each, "a", "b"), promptLogprobs(each, 1), generatedTokens(each)])
          if (read.kind === "given") expect(read.tokens).toHaveLength(read.logprobs.length);
        expect(true).toBe(true);
      }),
    );
  });
});

describe("prompt_logprobs", () => {
  const usage = { prompt_tokens: 3, completion_tokens: 1 };
  const own = [null, { 17: { logprob: -1, rank: 1, decoded_token: "a" } }, { 18: { logprob: -2, rank: 1 } }];

  it("are of the tokens behind the prompt's, in the choice or beside it", () => {
    const expected = { kind: "given", tokens: ["18"], logprobs: [-2] };
    expect(promptLogprobs({ choices: [{ prompt_logprobs: own }], usage }, 2)).toEqual(expected);
    expect(promptLogprobs({ prompt_logprobs: own, usage }, 2)).toEqual(expected);
  });

  it.each([
    ["missing", { choices: [{}], usage }, /gives no prompt_logprobs/],
    ["too few", { prompt_logprobs: own.slice(1), usage }, /not one for each token/],
    [
      "of several tokens at one place",
      { prompt_logprobs: [null, own[1], { 17: -1, 18: -2 }], usage },
      /do not say which/,
    ],
  ])("that are %s are none", (_, body, reason) => {
    expect(promptLogprobs(body, 2)).toEqual({ kind: "absent", reason: expect.stringMatching(reason) as string });
  });
});

describe("what was generated", () => {
  it.each([
    ["completions", { tokens: [" 4", "."], token_logprobs: [-1, -2] }],
    [
      "chat, and llama.cpp",
      {
        content: [
          { token: " 4", logprob: -1, id: 7 },
          { token: ".", logprob: -2, id: 8 },
        ],
      },
    ],
  ])("is read as %s have it", (_, logprobs) => {
    const body = { choices: [{ text: " 4.", logprobs }] };
    expect(generatedTokens(body)).toEqual({ kind: "given", tokens: [" 4", "."], logprobs: [-1, -2] });
  });

  it("tells tokens apart that look alike, and knows what is no number", () => {
    const content = [
      { token: "\uFFFD", id: 7, logprob: -1 },
      { token: "\uFFFD", id: 8, logprob: null },
    ];
    const body = { choices: [{ logprobs: { content } }] };
    expect(generatedTokens(body)).toEqual({ kind: "given", tokens: ["\uFFFD#7", "\uFFFD#8"], logprobs: [-1, null] });
  });

  it.each([[null], [{}], [{ content: [] }], [{ content: [{ logprob: -1 }] }], [{ tokens: [], token_logprobs: [] }]])(
    "is none where that is %j",
    (logprobs) => {
      expect(generatedTokens({ choices: [{ text: "", logprobs }] }).kind).toBe("absent");
    },
  );
});
