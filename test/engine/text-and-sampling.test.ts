import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GrowingText } from "../../engine/growing-text.ts";
import { argmax, logProbability, sampleToken, topTokens } from "../../engine/sampling.ts";
import { tokenBytes } from "../../engine/token-bytes.ts";
import { loadTokenizer } from "../../engine/tokenizer.ts";
import { MODEL_DIR } from "./model-dir.ts";

const encoder = new TextEncoder();

describe("growing text", () => {
  it("stops before the first stop string, wherever the pieces are cut", () => {
    const property = fc.property(
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 4 }), { maxLength: 3 }),
      fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
      (text, stops, cuts) => {
        const bytes = encoder.encode(text);
        const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
        const growing = new GrowingText(stops);
        let stopped = false;
        for (let i = 1; i < edges.length && !stopped; i++)
          stopped = growing.push(bytes.subarray(edges[i - 1], edges[i]));
        const found = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
        expect(stopped).toBe(found.length > 0);
        if (!stopped) expect(growing.toString()).toBe(text);
        // With the end of one stop string inside another, the one that is complete first wins.
        else expect(text.startsWith(growing.toString())).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it("gives out only what no stop string takes away, nothing twice, and holds back no more than it must", () => {
    // Few letters, so that stop strings often begin and seldom end; whole and broken characters of one to four bytes.
    const piece = fc.oneof(
      fc.constantFrom("a", "b", "ab", "é", "🦆").map((text) => encoder.encode(text)),
      fc.constantFrom([0xc3], [0xa9], [0xf0, 0x9f], [0xa6, 0x86], [0xff]).map((bytes) => Uint8Array.from(bytes)),
    );
    const stop = fc.string({ unit: fc.constantFrom("a", "b", "é", "🦆"), minLength: 1, maxLength: 5 });
    const property = fc.property(
      fc.array(piece, { maxLength: 20 }),
      fc.array(stop, { maxLength: 3 }),
      (pieces, stops) => {
        const growing = new GrowingText(stops);
        const longest = Math.max(0, ...stops.map((text) => encoder.encode(text).length));
        let certain = "";
        for (const bytes of pieces) {
          if (growing.push(bytes)) break;
          certain += growing.takeCertain();
          const rest = encoder.encode(growing.toString()).length - encoder.encode(certain).length;
          // Of a broken character U+FFFD is shown, which is three bytes long.
          expect(rest).toBeLessThanOrEqual(Math.max(0, longest - 1) * 3 + 3);
        }
        expect(growing.toString().startsWith(certain)).toBe(true);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });

  it("gives out a beginning of a stop string as soon as it is none", () => {
    const growing = new GrowingText(["Question:"]);
    const given = ["4\n", "Quest", "ions", " Q"].map((text) => {
      growing.push(encoder.encode(text));
      return growing.takeCertain();
    });
    expect(given).toEqual(["4\n", "", "Questions", " "]);
  });

  it("shows half a character as U+FFFD", () => {
    const growing = new GrowingText([]);
    growing.push(encoder.encode("€").subarray(0, 2));
    expect(growing.toString()).toBe("\u{FFFD}");
  });
});

describe("token bytes", () => {
  it("are what the tokenizer's own decoder makes of any text", () => {
    const path = join(MODEL_DIR, "tokenizer.json");
    const bytes = tokenBytes(readFileSync(path, "utf8"), path);
    const tokenizer = loadTokenizer(MODEL_DIR);
    const property = fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), (text) => {
      const ids = tokenizer.encode(text);
      const joined = Buffer.concat(ids.map((id) => bytes[id] as Uint8Array)).toString("utf8");
      expect(joined).toBe(text);
      expect(tokenizer.decode(ids)).toBe(text);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it("of another kind of tokenizer are refused", () => {
    expect(() => tokenBytes('{"model": {"type": "Unigram", "vocab": []}}', "t.json")).toThrow(
      "t.json: the embedded engine needs",
    );
    expect(() => tokenBytes("{", "t.json")).toThrow("t.json: not valid JSON");
  });
});

describe("sampling", () => {
  it("takes the lowest of equal logits", () => {
    expect(argmax(Float32Array.of(9, 1, 3, 3, 2), 1, 4)).toBe(1);
  });

  it("ranks the likeliest tokens, the lower id of equals first", () => {
    const logits = Float32Array.from([9, ...[0.1, 0.4, 0.1, 0.4].map(Math.log), 9]);
    const top = topTokens(logits, 1, 4, 3);
    expect(top.map(({ tokenId }) => tokenId)).toEqual([1, 3, 0]);
    expect(top.map(({ logprob }) => Math.exp(logprob))).toEqual([0.4, 0.4, 0.1].map((p) => expect.closeTo(p, 6)));
    expect(top.map(({ tokenId, logprob }) => logprob - logProbability(logits, 1, 4, tokenId))).toEqual([0, 0, 0]);
    expect(topTokens(logits, 1, 4, 9).length).toBe(4);
  });

  it("draws each token as often as its probability says", () => {
    const logits = Float32Array.from([0.5, 0.3, 0.2].map(Math.log));
    const counts = [0, 0, 0];
    const draws = 10_000;
    for (let i = 0; i < draws; i++) {
      const token = sampleToken(logits, 0, 3, 1, (i + 0.5) / draws);
      counts[token] = (counts[token] as number) + 1;
    }
    expect(counts.map((count) => Math.round((count / draws) * 1000) / 1000)).toEqual([0.5, 0.3, 0.2]);
  });

  it("never draws a token of probability 0, even when rounding leaves a remainder", () => {
    expect(sampleToken(Float32Array.of(0, -Infinity), 0, 2, 1, 1 - 2 ** -53)).toBe(0);
    expect(sampleToken(Float32Array.of(-Infinity, 0, -Infinity), 0, 3, 0.5, 0)).toBe(1);
  });

  it("gives natural-log probabilities", () => {
    expect(logProbability(Float32Array.of(7, 0, Math.log(3)), 1, 2, 1)).toBeCloseTo(Math.log(0.75), 6);
  });
});
