/** All of it together: from fusecheck.yaml to two servers that are asked, compared and gone. */
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { comparable } from "../../../runners/comparable.ts";
import type { VariantFacts } from "../../../runners/comparable.ts";
import { parseConfig, resolveVariants } from "../../../runners/config/index.ts";
import type { VariantSpec } from "../../../runners/config/index.ts";
import { launchServer, stopAndRelease, watchServer } from "../../../runners/launch/index.ts";
import { openOpenAiRunner } from "../../../runners/openai/index.ts";
import { fakeServer, isAlive, temporaryFolder } from "./launching.ts";

const CONFIG = `
engine: vllm
model: org/model-8m
switch: grouped-topk
launch:
  command: ${JSON.stringify([...fakeServer(), "--model", "{model}"])}
  env: {FUSED: shared}
variants:
  baseline: {env: {FUSED: off}}
  fused: {env: {FUSED: on}, args: [--grandchildren, 1]}
timeouts: {startup: 1m, stop: 5s, hang: 1m}
parallel: true
`;

it("from a file to answers", async () => {
  const folder = temporaryFolder();
  const { baseline, fused, preset, model, hangMs, meantToDiffer, parallel } = resolveVariants(
    parseConfig(CONFIG, "fusecheck.yaml"),
  );
  expect(parallel).toBe(true);
  const run = async (name: string, variant: VariantSpec): Promise<{ facts: VariantFacts; printed: string }> => {
    if (variant.kind !== "launch") throw new Error("it is not started");
    const ask = { env: {}, dialect: preset.dialect, ...(model !== undefined && { model }) };
    const server = await launchServer(variant.spec, { logFile: join(folder, name, "server.log"), ask });
    onTestFinished(async () => void (await server.stop()));
    const runner = await openOpenAiRunner({ ...ask, baseUrls: [server.baseUrl] });
    const watch = watchServer(server, { traffic: () => runner.stats, hangMs });
    const options = { maxTokens: 1, stop: [], temperature: 0, seed: "0" };
    const { text } = await runner.complete({ kind: "completion", text: "hi" }, options, watch.signal);
    expect(text).toBe("x");
    watch.release();
    await runner.close();
    const printed = server.log.lastLines().join("\n");
    expect(await stopAndRelease(server, { list: async () => undefined })).toMatchObject({ kind: "not judged" });
    expect(isAlive(server.pid)).toBe(false);
    return { facts: { model: runner.identity.model, facts: server.facts }, printed };
  };
  const [off, on] = await Promise.all([run("baseline", baseline), run("fused", fused)]);
  expect(off.printed).toContain("env FUSED=off ");
  expect(on.printed).toContain("env FUSED=on ");
  expect(off.facts.facts).toEqual({ version: "1.2.3" });
  expect(comparable(off.facts, on.facts, { preset, meantToDiffer })).toEqual([]);
});
