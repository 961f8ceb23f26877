/** What the user got wrong is one line on stderr that names it, exit 2, and nothing half-written. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { editJson, modelCopy, replace, weights } from "./model-copy.ts";
import { filesOf, run, temporaryFolder } from "./program.ts";
import type { ProgramRun } from "./program.ts";

const parent = temporaryFolder();
const output = join(parent, "run");
const TINY = ["eval", "--task", "gsm_synth", "--limit", "1", "--num-fewshot", "0", "--max-tokens", "2"];

/** What stderr says of a run that was refused as it should be. */
function refusal({ code, stdout, stderr }: ProgramRun): string {
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^fusecheck: [^\n]+\n$/);
  expect(existsSync(output)).toBe(false);
  return stderr;
}

describe("the command line", () => {
  it.each<[string[], RegExp]>([
    [[], /name a command; see fusecheck --help/],
    [["evla"], /unknown command "evla" \(did you mean "eval"\?\); there are: capture, eval, .*score/],
    [["eval"], /--task must be given; see fusecheck eval --help/],
    [["score"], /--task and --completions must be given/],
    [["eval", "--task"], /--task needs a value/],
    [["eval", "--task", "gsm9k"], /unknown task "gsm9k" \(did you mean "gsm8k"\?\); there are: gsm8k, /],
    [[...TINY, "--limt", "3"], /unknown flag --limt \(did you mean --limit\?\)/],
    [[...TINY, "--fused=yes"], /--fused takes no value but true or false, not "yes"/],
    [[...TINY, "--fused", "--fused"], /--fused was given more than once/],
    [[...TINY, "--limit", "2"], /--limit was given 2 times/],
    [[...TINY, "extra"], /unexpected argument "extra"/],
    [[...TINY, "--", "extra"], /unexpected argument "--"/],
    [[...TINY, "--data", "/nowhere"], /--data \/nowhere: gsm_synth is generated/],
    [["eval", "--task", "gsm8k", "--data", "/nowhere/at/all"], /--data \/nowhere\/at\/all: there is no such/],
    [
      [...TINY, "--model", "/nowhere/at/all"],
      /cannot read \/nowhere\/at\/all\/model\.safetensors: there is no such file/,
    ],
  ])("%j", async (args, message) => {
    expect(refusal(await run(args.length > 2 ? [...args, "--output", output] : args))).toMatch(message);
  });
});

it("a malformed line of --data is named by file and number", async () => {
  const data = join(parent, "data");
  mkdirSync(data);
  const row = JSON.stringify({ question: "What is 1 + 1?", answer: "It is <<1+1=2>>2.\n#### 2" });
  writeFileSync(join(data, "train.jsonl"), `${row}\n`.repeat(8));
  writeFileSync(join(data, "test.jsonl"), `${row}\n{"question": "torn`);
  const ended = await run(["eval", "--task", "gsm8k", "--data", data, "--num-fewshot", "0", "--output", output]);
  expect(refusal(ended)).toMatch(/test\.jsonl.*line 2/);
});

describe("a checkpoint", () => {
  const cases: readonly [name: string, spoil: (model: string) => void, message: RegExp][] = [
    [
      "cut short",
      (model) => replace(model, "model.safetensors", weights().subarray(0, 100_000)),
      /lie outside .* \(truncated\?\)/,
    ],
    [
      "of random bytes",
      (model) => replace(model, "model.safetensors", weights().subarray(200_000, 300_000)),
      /not a usable safetensors file/,
    ],
    [
      "with values that are no numbers",
      (model) => replace(model, "model.safetensors", spoiltWeights()),
      /values that are not finite/,
    ],
    [
      "of other shapes than its config",
      (model) => editJson(model, "config.json", (c) => (c["hidden_size"] = 96)),
      /has shape \[.*but .*config\.json implies/,
    ],
    [
      "of more layers than its config",
      (model) => editJson(model, "config.json", (c) => (c["num_hidden_layers"] = 4)),
      /holds tensor "model\.layers\.4\..*for which .*config\.json has no use/,
    ],
    [
      "of another kind",
      (model) => editJson(model, "config.json", (c) => (c["model_type"] = "llama")),
      /model_type is "llama"/,
    ],
    ["with a config that is no JSON", (model) => replace(model, "config.json", "{"), /config\.json: not valid JSON/],
    [
      "with a tokenizer that is none",
      (model) => replace(model, "tokenizer.json", "{}"),
      /tokenizer\.json: not a usable tokenizer/,
    ],
    [
      "with a tokenizer that is no object",
      (model) => replace(model, "tokenizer.json", "null"),
      /tokenizer\.json: not a usable tokenizer/,
    ],
  ];

  it.each(cases)("%s", async (name, spoil, message) => {
    const model = modelCopy(parent, name.replaceAll(" ", "-"));
    spoil(model);
    const ended = await run([...TINY, "--model", model, "--output", output]);
    expect(refusal(ended)).toMatch(message);
    expect(ended.stderr).toContain(model);
  });

  it.each<[string, string | undefined, RegExp]>([
    ["without a chat template", undefined, /this model has no chat template; leave out --chat/],
    ["with a broken chat template", "{% for x in %}{{", /its chat template cannot be used/],
  ])("%s, asked with --chat", async (name, template, message) => {
    const model = modelCopy(parent, name.replaceAll(" ", "-"));
    editJson(model, "tokenizer_config.json", (config) => (config["chat_template"] = template));
    expect(refusal(await run([...TINY, "--chat", "--model", model, "--output", output]))).toMatch(message);
  });
});

/** Ones in every bit of some numbers in the middle: NaN in float32, float16 and bfloat16 alike. */
function spoiltWeights(): Buffer {
  const bytes = weights();
  const middle = Math.floor(bytes.length / 2 / 8) * 8;
  return bytes.fill(0xff, middle, middle + 64);
}

describe("an output folder", () => {
  it("that holds other files is left as it is", async () => {
    const foreign = join(parent, "foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "thesis.txt"), "mine");
    const said = refusal(await run([...TINY, "--output", foreign]));
    expect(said).toMatch(/foreign holds files but no run of fusecheck \(thesis\.txt\)/);
    expect(readdirSync(foreign)).toEqual(["thesis.txt"]);
  });

  it("that is a file is left as it is", async () => {
    const file = join(parent, "a-file");
    writeFileSync(file, "mine");
    expect(refusal(await run([...TINY, "--output", file]))).toMatch(/a-file/);
    expect(refusal(await run([...TINY, "--output", join(file, "below")]))).toMatch(/a part of the path is a file/);
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  it.skipIf(!existsSync("/proc/self"))("that nobody can create ends the program at once", async () => {
    expect(refusal(await run([...TINY, "--output", "/proc/fusecheck"]))).toMatch(/cannot create \/proc\/fusecheck: /);
  });
});

describe.skipIf(process.platform === "win32")("a full disk (a limit on the size of files)", () => {
  it("ends the run with what to do, and the run goes on when there is room", async () => {
    const folder = join(parent, "full");
    const args = [
      "eval",
      "--task",
      "gsm_synth",
      "--fused",
      "--limit",
      "2",
      "--num-fewshot",
      "0",
      "--max-tokens",
      "8",
      "--output",
      folder,
    ];
    // Room for the journals (in blocks of 1 KiB), not for the captures.
    const ended = await run(args, { shell: "trap '' XFSZ; ulimit -f 6" });
    expect(refusal(ended)).toMatch(/cannot write .*routing\.part: EFBIG.*free some space/);
    expect(filesOf(folder).filter((name) => /tmp|lock/.test(name))).toEqual([]);
    expect((await run(args)).code).toBe(0);
  });
});
