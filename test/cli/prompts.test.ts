import { describe, expect, it } from "vitest";
import { HAS_SHARED, sharedPath, sharedRows } from "../tasks/shared.ts";
import { runFusecheck } from "./run-cli.ts";

interface Row {
  readonly doc_id: number;
  readonly prompt?: string;
  readonly messages?: readonly object[];
  readonly target: string;
  readonly prompt_hash: string;
  readonly doc_hash: string;
  readonly target_hash: string;
}

function parse(stdout: string): Row[] {
  const lines = stdout.split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => JSON.parse(line) as Row);
}

describe("fusecheck prompts", () => {
  it("prints one row per doc, of a task that needs no files", async () => {
    const { code, stdout, stderr } = await runFusecheck(["prompts", "--task", "gsm_synth", "--limit", "3"]);
    expect([code, stderr]).toEqual([0, ""]);
    const rows = parse(stdout);
    expect(rows.map(({ doc_id: id }) => id)).toEqual([0, 1, 2]);
    expect(Object.keys(rows[0]!)).toEqual(["doc_id", "prompt", "target", "prompt_hash", "doc_hash", "target_hash"]);
  });

  it("ends quietly when its reader has had enough", async () => {
    const args = ["prompts", "--task", "gsm_synth", "--limit", "1000000"];
    const { code, stdout, stderr } = await runFusecheck(args, { closeAfter: 1000 });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.length).toBeLessThan(10_000_000);
  });

  it.each([
    [["--task", "gsm9k"], /^fusecheck: unknown task "gsm9k" \(did you mean "gsm8k"\?\); there are: /],
    [["--task", "__proto__"], /^fusecheck: unknown task "__proto__"/],
    [["--task", "gsm_synth", "--limit", "0"], /^fusecheck: --limit must be/],
    [["--task", "gsm_synth", "--limit", "abc"], /^fusecheck: --limit must be/],
    [["--task", "gsm_synth", "--num-fewshot", "9999"], /^fusecheck: gsm_synth: 9999 examples/],
    [["--task", "gsm_synth", "--fewshot-as-multiturn"], /^fusecheck: .*only in chat/],
    [["--task", "gsm8k", "--data", "/nowhere/at/all"], /^fusecheck: --data \/nowhere\/at\/all: there is no such/],
    [[], /^fusecheck: .*task/],
  ])("refuses %j in one line", async (args, message) => {
    const { code, stdout, stderr } = await runFusecheck(["prompts", ...args]);
    expect([code, stdout, stderr.trimEnd().split("\n").length]).toEqual([2, "", 1]);
    expect(stderr).toMatch(message);
  });
});

describe.skipIf(!HAS_SHARED)("fusecheck prompts against lm-eval (needs ../shared)", () => {
  it("prints the prompts of a real run", async () => {
    const args = ["prompts", "--task", "gsm8k", "--num-fewshot", "5", "--limit", "100", "--data", sharedPath("gsm8k")];
    const rows = parse((await runFusecheck(args)).stdout);
    const samples = sharedRows<Row & { arguments: { gen_args_0: { arg_0: string } }; filter: string }>(
      "golden/lm_eval_run/samples_gsm8k.jsonl",
    ).filter(({ filter }) => filter === "strict-match");
    expect(rows).toEqual(
      samples.map((sample) => ({
        doc_id: sample.doc_id,
        prompt: sample.arguments.gen_args_0.arg_0,
        target: sample.target,
        prompt_hash: sample.prompt_hash,
        doc_hash: sample.doc_hash,
        target_hash: sample.target_hash,
      })),
    );
  });

  it("prints messages, with every flag that shapes them", async () => {
    const flags = [
      "--chat",
      "--limit",
      "1",
      "--num-fewshot",
      "5",
      "--system-instruction",
      "You are a careful math tutor.",
    ];
    const { stdout } = await runFusecheck(["prompts", "--task", "gsm8k", "--data", sharedPath("gsm8k"), ...flags]);
    const cases = sharedRows<Row & { tag: string; style: string }>("golden/prompts.jsonl");
    const expected = cases.find(({ tag, style }) => tag === "system_instruction" && style === "chat_multiturn")!;
    const [row] = parse(stdout);
    expect([row!.messages, row!.prompt_hash]).toEqual([expected.messages, expected.prompt_hash]);
  });

  it("takes the seed, and one message for all examples", async () => {
    const base = ["prompts", "--task", "gsm8k", "--data", sharedPath("gsm8k"), "--limit", "1"];
    const seeded = await runFusecheck([...base, "--seed", "42"]);
    const single = await runFusecheck([...base, "--chat", "--fewshot-as-multiturn", "false"]);
    const cases = sharedRows<Row & { tag: string; style: string; num_fewshot: number }>("golden/prompts.jsonl");
    const seed42 = cases.find(({ tag }) => tag === "seed42")!;
    const oneTurn = cases.find(({ style, num_fewshot: shots }) => style === "chat_singleturn" && shots === 5)!;
    expect(parse(seeded.stdout)[0]!.prompt_hash).toBe(seed42.prompt_hash);
    expect(parse(single.stdout)[0]!.prompt_hash).toBe(oneTurn.prompt_hash);
  });
});
