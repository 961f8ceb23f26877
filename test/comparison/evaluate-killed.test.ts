/** kill -9 at any moment: what was answered and kept is asked no more, and the files are those of an undisturbed run. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import seedrandom from "seedrandom";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Comparison } from "../../reports/comparison.ts";
import { fileOf, filesOf, jsonOf, rowsOf, run, start, temporaryFolder, until } from "../e2e/program.ts";
import { startReplayServer } from "../runners/openai/replay-server.ts";
import type { ReplayServer } from "../runners/openai/replay-server.ts";
import { completeFrom, findings, isTimed, solutions } from "./replayed.ts";

const DOCS = 120;
const KILLS = 20;

const parent = temporaryFolder();
const undisturbed = join(parent, "undisturbed");
const killed = join(parent, "killed");
const VARIANTS = ["baseline", "fused"] as const;

let servers: Record<(typeof VARIANTS)[number], ReplayServer>;
let prompts: readonly string[];

beforeAll(async () => {
  const known = await solutions(DOCS);
  prompts = [...known.keys()];
  const options = { complete: completeFrom(known), delayMs: () => 15 };
  servers = { baseline: await startReplayServer(options), fused: await startReplayServer(options) };
});
afterAll(async () => {
  for (const server of Object.values(servers)) await server.close();
});

function args(output: string): string[] {
  const urls = ["--base-url", servers.baseline.baseUrl, "--fused-base-url", servers.fused.baseUrl];
  const asked = ["--task", "gsm_synth", "--fused", "--limit", String(DOCS), "--num-fewshot", "0", "--concurrency", "4"];
  return ["eval", ...asked, ...urls, "--output", output];
}

/** The prompts whose answers the journals hold. */
function kept(variant: string): Set<string> {
  const rows = rowsOf<{ doc_id: number }>(join(killed, variant, "completions.jsonl"));
  return new Set(rows.map(({ doc_id: id }) => prompts[id] as string));
}

const requests = (): number => servers.baseline.requests.length + servers.fused.requests.length;

it(`killed ${KILLS} times, at random`, async () => {
  expect((await run(args(undisturbed))).code).toBe(0);
  const random = seedrandom("kill -9");
  const askedAgain: string[] = [];
  /** Starts the run, and sees to it that nothing is asked that was kept. */
  const session = async (killAfter?: { readonly requests: number; readonly ms: number }): Promise<number | null> => {
    const before = VARIANTS.map((name) => [name, kept(name), servers[name].requests.length] as const);
    const from = requests();
    const { child, ended } = start(args(killed));
    let over = false;
    void ended.then(() => (over = true));
    if (killAfter !== undefined) {
      await until(() => over || requests() - from >= killAfter.requests);
      await new Promise((resolve) => setTimeout(resolve, killAfter.ms));
      child.kill("SIGKILL");
    }
    const { code } = await ended;
    for (const [name, keptBefore, count] of before) {
      const asked = servers[name].requests
        .slice(count)
        .filter(isTimed)
        .map(({ body }) => String(body["prompt"]));
      askedAgain.push(...asked.filter((prompt) => keptBefore.has(prompt)));
    }
    return code;
  };
  for (let i = 0; i < KILLS; i++) {
    // While it starts, or after up to 20 more requests.
    const starting = random() < 0.2;
    const killAfter = starting
      ? { requests: 0, ms: Math.floor(random() * 1000) }
      : { requests: 1 + Math.floor(random() * 20), ms: Math.floor(random() * 30) };
    await session(killAfter);
  }
  expect(await session()).toBe(0);
  expect(askedAgain).toEqual([]);
  for (const name of VARIANTS) {
    expect(rowsOf(join(killed, name, "completions.jsonl"))).toHaveLength(DOCS);
    const [one, other] = [undisturbed, killed].map((folder) => readFileSync(fileOf(folder, name, "samples_"), "utf8"));
    expect(other).toBe(one);
  }
  const [one, other] = [undisturbed, killed].map((folder) => jsonOf(join(folder, "comparison.json")) as Comparison);
  expect(findings(other as Comparison)).toEqual(findings(one as Comparison));
  const names = (folder: string): string[] => filesOf(folder).map((name) => name.replace(/_\d{4}-.*\./, "_."));
  expect(names(killed)).toEqual(names(undisturbed));
});
