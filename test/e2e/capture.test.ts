/** `fusecheck capture` as a user runs it: the spot check of two commands and a comparison, servers, interruption. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openSafetensors } from "../../engine/safetensors.ts";
import type { Captured } from "../../reports/captured.ts";
import { MODEL_DIR } from "../engine/model-dir.ts";
import { run, start, temporaryFolder, until } from "./program.ts";
import { proxy, serve, zeroed } from "./serving.ts";

const folder = temporaryFolder();
const file = (name: string): string => join(folder, name);
const ASKED = ["--task", "gsm_synth", "--docs", "2", "--num-fewshot", "1", "--max-tokens", "24"];

/** Nothing else on stderr; on a busy machine it is shown how far it has come. */
const PROGRESS = /^(?:\w+: capture: \d+\/\d+, [^\n]*\n)*$/;

async function captured(args: readonly string[]): Promise<Captured> {
  const { code, stdout, stderr } = await run(["capture", ...args, "--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(PROGRESS);
  return JSON.parse(stdout) as Captured;
}

describe("the spot check", () => {
  const [a, b] = [file("a.safetensors"), file("b.safetensors")];

  it("captures the baseline, on docs drawn by the seed", async () => {
    const { code, stdout, stderr } = await run(["capture", ...ASKED, "--output", a]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(PROGRESS);
    expect(stdout).toMatch(
      /2 docs \(\d+, \d+\), \d+ tokens run: \d+ of prompts, \d+ of completions \(the engine's own/,
    );
    expect(stdout).toMatch(/5 MoE layers, 4 of 16 experts; weights, router margins\n/);
    expect(stdout).toMatch(/entries checked: [\d,]+; 0 broken invariants\n/);
    expect(stdout).toContain(`\nNext: fusecheck capture --completions ${a} --fused --output `);
    const capture = openSafetensors(a);
    expect(Object.fromEntries(capture.metadata)).toMatchObject({
      engine: "embedded",
      model: "abacus-8m",
      variant: "baseline",
      completions: "generated",
      task: "gsm_synth",
      seed: "1234",
    });
    capture.close();
  });

  it("captures the fused variant on the same tokens, and both are found to be the same", async () => {
    const found = await captured(["--completions", a, "--fused", "--output", b]);
    expect(found).toMatchObject({ kind: "given", variant: "fused", notes: [], invariants: { broken: 0 } });
    const [one, two] = [openSafetensors(a), openSafetensors(b)];
    for (const name of ["input_ids", "doc_index", "position", "docs.prompt_tokens", "docs.last_token"])
      expect(two.read(name), name).toEqual(one.read(name));
    one.close();
    two.close();
    const { code, stdout } = await run(["parity", "captures", a, b]);
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/Held\.\n {2}every token to the same experts with the same weights/);
  });

  it("given tokens are run as they were generated: the same capture, but for what it says of itself", async () => {
    const again = file("again.safetensors");
    await captured(["--completions", a, "--output", again]);
    const [one, two] = [openSafetensors(a), openSafetensors(again)];
    expect([...two.tensors.keys()]).toEqual([...one.tensors.keys()]);
    // Prompts are run in another way than generated: within last bits, like two variants.
    for (const layer of [1, 5])
      expect(two.read(`layers.${layer}.topk_ids`)).toEqual(one.read(`layers.${layer}.topk_ids`));
    one.close();
    two.close();
  });

  it("leaves a file that exists as it is, unless it is told to replace it", async () => {
    const before = readFileSync(a);
    const refused = await run(["capture", ...ASKED, "--output", a]);
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toMatch(/^fusecheck: \S+ exists; choose another --output, or say --force[^\n]+\n$/);
    expect(readFileSync(a).equals(before)).toBe(true);
    const other = await captured(
      [...ASKED, "--doc-ids", "0", "--output", b, "--force"].filter((w) => w !== "--docs" && w !== "2"),
    );
    expect(other.docs.map(({ doc_id: id }) => id)).toEqual([0]);
  });
});

describe("what is captured", () => {
  it("may be prompts from a file, as text or token ids", async () => {
    const rows = [{ prompt: "Question: 1 + 1?\nAnswer:" }, { token_ids: [5, 6, 7], doc_id: 9 }];
    writeFileSync(file("prompts.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
    const args = ["--prompts", file("prompts.jsonl"), "--max-tokens", "4", "--output", file("prompts.safetensors")];
    const { docs } = await captured(args);
    expect(docs.map(({ doc_id: id }) => id)).toEqual([0, 9]);
    expect(docs[1]).toMatchObject({ promptTokens: 3, completionTokens: 4 });
  });

  it("may be the tokens of a run's baseline", async () => {
    const runFolder = file("run");
    const limits = ["--limit", "1", "--num-fewshot", "0", "--max-tokens", "8", "--output", runFolder, "--quiet"];
    expect((await run(["eval", "--task", "gsm_synth", "--fused", ...limits])).code).toBe(0);
    const found = await captured(["--completions", runFolder, "--fused", "--output", file("of-run.safetensors")]);
    expect(found).toMatchObject({ notes: [], docs: [{ doc_id: 0, completionTokens: 8 }] });
    const compared = await run(["parity", "captures", join(runFolder, "baseline/routing.safetensors"), found.path]);
    expect(compared.code, compared.stdout).toBe(0);
  });
});

describe("servers", () => {
  let url: string;
  beforeAll(async () => {
    url = await serve(["--enable-return-routed-experts", "vllm", "--fused"]);
  }, 120_000);
  const asVllm = (of: string): string[] => ["--base-url", of, "--engine", "vllm", "--capture", MODEL_DIR];

  it("that give ids are captured on the tokens of another capture", async () => {
    const [a, b] = [file("embedded.safetensors"), file("server.safetensors")];
    await captured([...ASKED, "--output", a]);
    const found = await captured(["--completions", a, "--fused", "--output", b, ...asVllm(url)]);
    expect(found).toMatchObject({ variant: "fused", weights: false, margins: false, invariants: null });
    expect((await run(["parity", "captures", a, b])).code).toBe(0);
  });

  it("may be given a prompt's token ids", async () => {
    writeFileSync(file("ids.jsonl"), '{"token_ids": [5, 6, 7]}\n');
    const args = ["--prompts", file("ids.jsonl"), "--max-tokens", "4", "--output", file("ids.safetensors")];
    expect((await captured([...args, ...asVllm(url)])).docs).toEqual([
      { doc_id: 0, promptTokens: 3, completionTokens: 4 },
    ]);
  });

  it("a broken capture is 3, and writes nothing", async () => {
    const zeros = await proxy(url, ({ choices }) => {
      for (const choice of choices)
        if (choice.routed_experts !== undefined) choice.routed_experts = zeroed(choice.routed_experts, "vllm");
    });
    const output = file("zeros.safetensors");
    const { code, stdout, stderr } = await run(["capture", ...ASKED, "--output", output, ...asVllm(zeros)]);
    expect([code, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(/^fusecheck: doc \d+: capture broken: every id is 0[^\n]+; nothing was written\n$/m);
    expect(existsSync(output)).toBe(false);
  });

  it("without captures is 2, with what to do", async () => {
    const args = ["capture", ...ASKED, "--output", file("none.safetensors"), "--base-url", url];
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--capture takes the model's config\.json[^\n]+\n$/);
  });
});

it("Ctrl-C leaves nothing behind: 130", async () => {
  const inside = temporaryFolder();
  const output = join(inside, "cut.safetensors");
  const { child, ended } = start(["capture", "--task", "gsm_synth", "--docs", "200", "--output", output]);
  await until(() => readdirSync(inside).length > 0);
  process.kill(child.pid as number, "SIGINT");
  const { code, stdout, stderr } = await ended;
  expect([code, stdout]).toEqual([130, ""]);
  expect(stderr).toMatch(/fusecheck: interrupted; nothing was written\n$/);
  expect(readdirSync(inside)).toEqual([]);
});

it.each<[string[], RegExp]>([
  [[], /say what to capture: --task, --prompts or --completions/],
  [["--task", "gsm_synth", "--prompts", "x"], /--task and --prompts exclude each other/],
  [["--completions", "x", "--docs", "3"], /--docs does not go with --completions/],
  [["--completions", "x", "--chat"], /--chat does not go with --completions/],
  [["--task", "gsm_synth", "--docs", "3", "--doc-ids", "1"], /--docs and --doc-ids exclude each other/],
  [["--task", "gsm_synth", "--doc-ids", "one"], /--doc-ids takes doc ids with commas between/],
  [["--completions", "/nowhere"], /Cannot read \/nowhere/],
  [["--prompts", "/nowhere"], /\/nowhere: there is no such file/],
  [["--completions", join(MODEL_DIR, "model.safetensors")], /is no capture file/],
  [["--prompts", join(MODEL_DIR, "config.json")], /line 1: not JSON|not a JSON object|no prompt/],
])("misuse %j: 2", async (args, message) => {
  const { code, stdout, stderr } = await run(["capture", ...args, "--output", file("misuse.safetensors")]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^fusecheck: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(existsSync(file("misuse.safetensors"))).toBe(false);
});
