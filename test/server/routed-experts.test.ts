import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EmbeddedEngine } from "../../engine/embedded-engine.ts";
import type { RoutingCapture } from "../../engine/requests.ts";
import { vllmRoutedExperts } from "../../server/routed-experts.ts";
import { synthProblem } from "../../tasks/gsm-synth/index.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { joined, testServer } from "./start.ts";

const PROMPT = `Question: ${synthProblem("train", 100).question}\nAnswer:`;
const ASKED = { prompt: PROMPT, temperature: 0, max_tokens: 50, return_token_ids: true };

let engine: EmbeddedEngine;
beforeAll(async () => {
  engine = await EmbeddedEngine.open({ modelDir: MODEL_DIR, routing: "fused", concurrency: 1 });
});
afterAll(() => engine.close());

interface Rows {
  readonly shape: readonly [tokens: number, layers: number, k: number];
  readonly data: ArrayLike<number>;
}

/** Expert ids as sets, by layer and token: their order inside a token's row is free. */
function setsOf({ shape: [nTokens, nLayers, k], data }: Rows): readonly string[] {
  return Array.from({ length: nTokens * nLayers }, (_, row) => {
    const ids = Array.from({ length: k }, (__, i) => data[row * k + i] as number);
    return ids.toSorted((a, b) => a - b).join(",");
  });
}

/** What teacher forcing on the same tokens says, its one dense layer as zeros. */
function expectedSets({ layers, nTokens, nExpertsAct: k, topkIds }: RoutingCapture, start = 0): readonly string[] {
  const data = new Int32Array((nTokens - start) * 6 * k);
  for (const [i, layer] of layers.entries())
    for (let token = start; token < nTokens; token++)
      data.set(
        topkIds.subarray((i * nTokens + token) * k, (i * nTokens + token + 1) * k),
        ((token - start) * 6 + layer) * k,
      );
  return setsOf({ shape: [nTokens - start, 6, k], data });
}

function readSglang(base64: string): Rows {
  const bytes = Buffer.from(base64, "base64");
  const data = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(4 * i));
  return { shape: [data.length / 24, 6, 4], data };
}

/** By the format's definition. */
function readNpy(base64: string): Rows & { readonly dtype: string } {
  const bytes = Buffer.from(base64, "base64");
  expect(bytes.subarray(0, 8).toString("latin1")).toBe("\u0093NUMPY\u0001\u0000");
  const end = 10 + bytes.readUInt16LE(8);
  expect(end % 64).toBe(0);
  const header = bytes.subarray(10, end).toString("latin1");
  const found = /^\{'descr': '(\|u1|<u2)', 'fortran_order': False, 'shape': \((\d+), (\d+), (\d+)\), \} *\n$/.exec(
    header,
  );
  const [, dtype = "", ...sizes] = found ?? [];
  const shape = sizes.map(Number) as unknown as Rows["shape"];
  const rest = bytes.subarray(end);
  const data = dtype === "|u1" ? rest : Array.from({ length: rest.length / 2 }, (_, i) => rest.readUInt16LE(2 * i));
  expect(data.length).toBe(shape.reduce((a, b) => a * b));
  return { shape, data, dtype };
}

describe("as SGLang hands them out", () => {
  const server = testServer({ routedExperts: "sglang", servedModelName: "m" });

  it("they are those of the same tokens: prompt and completion but the last", async () => {
    const { body } = await server.post("/completions", { ...ASKED, return_routed_experts: true });
    const ids = body.choices[0]?.token_ids ?? [];
    const tokens = [...engine.tokenizer.encode(PROMPT), ...ids];
    const rows = readSglang(body.sglext?.routed_experts ?? "");
    const { routing } = await engine.score({ tokens });
    expect(rows.shape[0]).toBe((body.usage?.total_tokens ?? 0) - 1);
    expect(setsOf(rows)).toEqual(expectedSets(routing));
    expect(new Set(rows.data as number[]).size).toBe(16);
  });

  it("from any token of the prompt on", async () => {
    const start = 10;
    const asked = { ...ASKED, return_routed_experts: true, routed_experts_start_len: start };
    const { body } = await server.post("/completions", asked);
    const tokens = [...engine.tokenizer.encode(PROMPT), ...(body.choices[0]?.token_ids ?? [])];
    const { routing } = await engine.score({ tokens });
    expect(setsOf(readSglang(body.sglext?.routed_experts ?? ""))).toEqual(expectedSets(routing, start));
    const beyond = await server.post("/completions", { ...asked, routed_experts_start_len: 2000 });
    expect([beyond.status, beyond.body.error.param]).toEqual([400, "routed_experts_start_len"]);
  });

  it("only where asked for, and only for one completion", async () => {
    const without = await server.post("/completions", ASKED);
    expect(without.body).not.toHaveProperty("sglext");
    const many = await server.post("/completions", { ...ASKED, n: 2, return_routed_experts: true });
    expect([many.status, many.body.error.param]).toEqual([400, "return_routed_experts"]);
  });

  it("with the last piece of a stream, and for chat", async () => {
    const asked = { ...ASKED, return_routed_experts: true };
    const whole = (await server.post("/completions", asked)).body;
    const { events } = await server.stream("/completions", asked);
    expect(events.filter(({ sglext }) => sglext !== undefined).length).toBe(1);
    expect(events.at(-1)?.sglext).toEqual(whole.sglext);
    const { prompt: _, ...rest } = asked;
    const chat = await server.post("/chat/completions", { ...rest, messages: [{ role: "user", content: PROMPT }] });
    const tokens = [...(chat.body.prompt_token_ids ?? []), ...(chat.body.choices[0]?.token_ids ?? [])];
    const { routing } = await engine.score({ tokens });
    expect(setsOf(readSglang(chat.body.sglext?.routed_experts ?? ""))).toEqual(expectedSets(routing));
  });

  it("and of a prompt that is only echoed", async () => {
    const tokens = engine.tokenizer.encode(PROMPT);
    const asked = { ...ASKED, max_tokens: 0, echo: true, return_routed_experts: true };
    const { body } = await server.post("/completions", asked);
    const { routing } = await engine.score({ tokens });
    expect(setsOf(readSglang(body.sglext?.routed_experts ?? ""))).toEqual(expectedSets(routing));
  });
});

describe("as vLLM hands them out", () => {
  const server = testServer({ routedExperts: "vllm" });

  it("they stand in every choice, as a NumPy file of bytes", async () => {
    const { body } = await server.post("/completions", { ...ASKED, prompt: [PROMPT, "Question: 1 + 1?"], n: 2 });
    expect(body.choices.length).toBe(4);
    for (const { prompt_token_ids: prompt = [], token_ids: ids = [], routed_experts: experts = "" } of body.choices) {
      const rows = readNpy(experts);
      const { routing } = await engine.score({ tokens: [...prompt, ...ids] });
      expect([rows.dtype, rows.shape]).toEqual(["|u1", [prompt.length + ids.length - 1, 6, 4]]);
      expect(setsOf(rows)).toEqual(expectedSets(routing));
    }
  });

  it("in a stream and among other requests they are the same", async () => {
    const prompts = Array.from(
      { length: 6 },
      (_, i) => `Question: ${synthProblem("train", 300 + i).question}\nAnswer:`,
    );
    const together = (await server.post("/completions", { ...ASKED, prompt: prompts })).body.choices;
    for (const [i, prompt] of prompts.entries()) {
      const { events } = await server.stream("/completions", { ...ASKED, prompt });
      const [last] = events.at(-1)?.choices ?? [];
      expect(last?.routed_experts).toBe(together[i]?.routed_experts);
      expect(joined(events).text).toBe(together[i]?.text);
    }
  });

  it("with uint16 where there are more experts than a byte counts", () => {
    const topkIds = Uint16Array.of(300, 1, 2, 511);
    const capture = {
      layers: [1],
      nTokens: 2,
      nExpertsAct: 2,
      nExpertsTot: 512,
      topkIds,
      topkWeights: new Float32Array(4),
      margins: new Float32Array(2),
      close: {
        rows: new Int32Array(0),
        scores: new Float32Array(0),
        rule: { nGroup: 1, topkGroup: 1, groupScore: "best" as const },
      },
    };
    const { dtype, shape, data } = readNpy(vllmRoutedExperts(capture, { nLayers: 2, start: 0 }));
    expect([dtype, shape, [...(data as number[])]]).toEqual(["<u2", [2, 2, 2], [0, 0, 300, 1, 0, 0, 2, 511]]);
  });
});
