import { describe, expect, it, onTestFinished } from "vitest";
import { look, NO_SILENCE } from "../../../runners/launch/silence.ts";
import { watchServer } from "../../../runners/launch/index.ts";
import { openOpenAiRunner } from "../../../runners/openai/index.ts";
import type { OpenAiRunner } from "../../../runners/openai/index.ts";
import { EngineLostError } from "../../../runners/runner.ts";
import { launch } from "./launching.ts";

/** Looks once a second, at [requests in flight, pieces so far]; what came of it, in milliseconds of silence. */
function silences(seen: readonly (readonly [number, number])[], everyMs = 1000, mostMs = 2000): number[] {
  let silence = NO_SILENCE;
  return seen.map(([inFlight, pieces], i) => {
    silence = look(silence, { inFlight, pieces }, (i + 1) * everyMs, mostMs);
    return silence.ms;
  });
}

describe("silence", () => {
  it("grows while requests wait and nothing comes", () => {
    const seen = [
      [0, 0],
      [3, 0],
      [3, 0],
      [3, 0],
    ] as const;
    expect(silences(seen)).toEqual([0, 1000, 2000, 3000]);
  });

  it("ends with a piece of any answer, however slow the rest is", () => {
    const seen = [
      [3, 0],
      [3, 0],
      [3, 1],
      [3, 1],
      [3, 2],
    ] as const;
    expect(silences(seen)).toEqual([0, 1000, 0, 1000, 0]);
  });

  it("is none while nothing is asked", () => {
    const seen = [
      [0, 5],
      [0, 5],
      [2, 5],
      [0, 5],
    ] as const;
    expect(silences(seen)).toEqual([0, 0, 1000, 0]);
  });

  it("counts no time in which nobody looked: the client was stopped, or the machine slept", () => {
    const seen = [
      [1, 0],
      [1, 0],
    ] as const;
    expect(silences(seen, 3_600_000)).toEqual([0, 2000]);
  });
});

/** Long enough for a slow machine to answer in between. */
const HANG_MS = 2500;

async function launchAndOpen(...args: readonly string[]): Promise<{ runner: OpenAiRunner; hang: Promise<unknown> }> {
  const server = await launch(args).launching;
  const captures = { layout: { nLayers: 1, moeLayers: [0], nExpertsTot: 8, nExpertsAct: 2 }, form: "vllm" } as const;
  const runner = await openOpenAiRunner({ baseUrls: [server.baseUrl], env: {}, stream: true, captures });
  const watch = watchServer(server, { traffic: runner.traffic, hangMs: HANG_MS });
  onTestFinished(async () => {
    watch.release();
    await runner.close();
  });
  const hang = new Promise((resolve) => watch.signal.addEventListener("abort", () => resolve(watch.signal.reason)));
  return { runner, hang };
}

function ask(runner: OpenAiRunner, signal: AbortSignal = new AbortController().signal): Promise<unknown> {
  const options = { maxTokens: 1, stop: [], temperature: 0, seed: "0" };
  return runner.complete({ kind: "completion", text: "hi" }, options, signal);
}

describe("a watched server", () => {
  it("that hangs ends the run, with its log's last lines", async () => {
    // One token is asked for at the launch.
    const { runner, hang } = await launchAndOpen("--hang-after", "3");
    await Promise.all([ask(runner), ask(runner)]);
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    void Promise.allSettled([ask(runner, ended.signal), ask(runner, ended.signal)]);
    const error = await hang;
    expect(error).toBeInstanceOf(EngineLostError);
    expect((error as Error).message).toMatch(
      /^the server hangs: no token came for 2.5 s while 2 requests waited; the last lines of its log .*listening on \d+$/s,
    );
    expect(runner.stats).toMatchObject({ inFlight: 2, pieces: 2, answered: 2 });
  });

  it("that sends nothing but pings ends it too: they are no tokens", async () => {
    const { runner, hang } = await launchAndOpen("--hang-after", "1", "--ping-ms", "50");
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    void Promise.allSettled([ask(runner, ended.signal)]);
    const error = await hang;
    expect(error).toBeInstanceOf(EngineLostError);
    expect((error as Error).message).toMatch(/^the server hangs: no token came for 2.5 s while 1 request waited; /);
    expect(runner.stats).toMatchObject({ inFlight: 1, pieces: 0, retries: 0 });
  });

  it("that hangs over a capture ends it too", async () => {
    const { runner, hang } = await launchAndOpen("--hang-after", "1");
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    const request = { kind: "given", completion: [1], promptIds: [2] } as const;
    void runner.capture?.({ kind: "completion", text: "hi" }, request, ended.signal).catch(() => {});
    expect((await hang) as Error).toMatchObject({
      message: expect.stringMatching(/^the server hangs: no token came for 2.5 s while 1 request waited; /),
    });
    expect([runner.traffic().inFlight, runner.stats.inFlight]).toEqual([1, 0]);
  });

  it("that sends a letter now and then is slow: it does not", async () => {
    // One answer takes more than twice as long as a hang.
    const { runner, hang } = await launchAndOpen("--drip-ms", "50");
    const start = performance.now();
    expect(await Promise.race([ask(runner), hang])).toMatchObject({ text: "x" });
    expect(performance.now() - start).toBeGreaterThan(2 * HANG_MS);
  });

  it("that is slow does not", async () => {
    const { runner, hang } = await launchAndOpen("--slow-ms", "1000");
    const asked = (async () => {
      // Together they take twice as long as a hang.
      for (let round = 0; round < 4; round++) await ask(runner);
      return "answered";
    })();
    expect(await Promise.race([asked, hang])).toBe("answered");
    expect(runner.stats).toMatchObject({ inFlight: 0, answered: 4 });
  });

  it("that waits for the next request does not", async () => {
    const { runner, hang } = await launchAndOpen();
    await ask(runner);
    const quiet = new Promise((resolve) => setTimeout(resolve, 1.5 * HANG_MS, "quiet"));
    expect(await Promise.race([hang, quiet])).toBe("quiet");
  });

  it("that dies ends the run too", async () => {
    const { runner, hang } = await launchAndOpen("--die-at", "2");
    const ended = new AbortController();
    onTestFinished(() => ended.abort());
    void Promise.allSettled([ask(runner, ended.signal)]);
    expect((await hang) as Error).toMatchObject({
      message: expect.stringMatching(/^the server died \(exit code 9\); /),
    });
  });
});
