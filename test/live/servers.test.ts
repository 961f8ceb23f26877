/** Real servers with the embedded engine's own model: they must be asked rightly, and so answer as it does. */
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import { jsonOf, run, temporaryFolder } from "../e2e/program.ts";
import { isThere, PEERS, titleOf } from "./peers.ts";
import type { Peer } from "./peers.ts";
import { answersOf, sameAnswers, serve } from "./serving.ts";

const there = PEERS.filter(isThere);
const folder = there.length > 0 ? temporaryFolder() : "";
const EMBEDDED = join(folder, "embedded");
/** Docs where a few will do. */
const FEW = 8;
let outputs = 0;

async function evaluate(args: readonly string[], output = join(folder, `run-${outputs++}`)): Promise<string> {
  const { code, stderr } = await run(["eval", "--task", "gsm_synth", "--quiet", ...args, "--output", output]);
  expect([code, stderr]).toEqual([0, ""]);
  return output;
}

beforeAll(async () => {
  const docs = Math.max(0, ...there.map((peer) => peer.docs));
  if (docs > 0) await evaluate(["--limit", String(docs)], EMBEDDED);
});

/** How many docs have an answer, and how many of them that of the embedded engine, to the character. */
function agreement(output: string): { readonly answered: number; readonly same: number } {
  const answers = answersOf(output);
  return { answered: answers.size, same: sameAnswers(answers, answersOf(EMBEDDED)) };
}

/** How a server compared with itself was judged, and whether all but the last bits were the same. */
function logprobsOf(output: string): unknown {
  const { logprobs } = jsonOf(join(output, "comparison.json")) as Comparison;
  if (logprobs.kind === "not judged")
    return logprobs.reason.includes("asked for its own completion: ") ? NONE : logprobs;
  const { way, docs, count, max, notFinite, parted } = logprobs;
  return { way, docs, several: count > FEW, close: max < 1e-3 && notFinite === 0, parted: parted?.docs ?? 0 };
}

const NONE = "none, and every way was tried";

function expectedLogprobs(way: Peer["logprobs"]): unknown {
  return way === "none" ? NONE : { way, docs: FEW, several: true, close: true, parted: 0 };
}

function asked({ engine, model, docs }: Peer, limit = docs): string[] {
  return ["--engine", engine, "--model", model(), "--limit", String(limit)];
}

describe.each(PEERS.map((peer) => [titleOf(peer), peer] as const))("%s", (_title, peer) => {
  const { path, docs, streams } = peer;
  const present = isThere(peer);

  it.skipIf(!present)("answers as the embedded engine does, launched", async () => {
    const output = await evaluate([...asked(peer), "--launch", peer.launch()]);
    expect(agreement(output)).toEqual({ answered: docs, same: docs });
  });

  it.skipIf(!present)(`answers so when it runs already, ${streams ? "whole and streamed" : "whole"}`, async () => {
    const baseUrl = await serve(peer.launch(), peer.model(), path);
    const whole = await evaluate([...asked(peer), "--base-url", baseUrl]);
    expect(agreement(whole)).toEqual({ answered: docs, same: docs });
    if (!streams) return;
    const streamed = await evaluate([...asked(peer), "--base-url", baseUrl, "--stream"]);
    expect(agreement(streamed)).toEqual({ answered: docs, same: docs });
  });

  it.skipIf(!present)("is launched twice and compared with itself", async () => {
    const launch = [...asked(peer, FEW), "--launch", peer.launch()];
    const output = await evaluate([...launch, "--fused", "--baseline-env", "LIVE=0", "--fused-env", "LIVE=1"]);
    expect(sameAnswers(answersOf(output, "baseline"), answersOf(output, "fused"))).toBe(FEW);
    expect(logprobsOf(output)).toEqual(expectedLogprobs(peer.logprobs));
  });

  it.skipIf(!present)("is judged by log-probabilities in chat, too", async () => {
    const launch = [...asked(peer, FEW), "--chat", "--launch", peer.launch()];
    const output = await evaluate([...launch, "--fused", "--baseline-env", "LIVE=0", "--fused-env", "LIVE=1"]);
    expect(logprobsOf(output)).toEqual(expectedLogprobs(peer.logprobs === "none" ? "none" : "generated"));
  });

  it.skipIf(!present)("takes a chat in the model's own template", async () => {
    const baseUrl = await serve(peer.launch(), peer.model(), path);
    const own = answersOf(await evaluate(["--chat", "--limit", String(FEW)]));
    const theirs = answersOf(await evaluate([...asked(peer, FEW), "--chat", "--base-url", baseUrl]));
    expect(sameAnswers(own, theirs)).toBe(FEW);
  });
});
