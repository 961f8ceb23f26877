import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { UserError } from "../../../errors.ts";
import { loadConfig, parseConfig } from "../../../runners/config/index.ts";

function messageOf(text: string): string {
  try {
    parseConfig(text, "fusecheck.yaml");
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
  throw new Error("it was taken");
}

const WORD = "expected a text or a whole number (write others, and true and false, in quotes)";

describe("what is wrong is said with its place", () => {
  it.each([
    // A name that nobody knows.
    [
      "engin: vllm\n",
      'fusecheck.yaml:1:1: engin: there is no such setting (did you mean "engine"?); there are: engine, ',
    ],
    [
      "engine: vllm\nvariants:\n  fused:\n    evn:\n      A: 1\n",
      'fusecheck.yaml:4:5: variants.fused.evn: there is no such setting (did you mean "env"?); there are: command, ',
    ],
    [
      "variants:\n  fussed: {}\n",
      'fusecheck.yaml:2:3: variants.fussed: there is no such setting (did you mean "fused"?)',
    ],
    ["engine: vlm\n", 'fusecheck.yaml:1:9: engine: no engine "vlm" (did you mean "vllm"?); there are: atom, vllm, '],
    ["model: m\nengine: vllm\nswitch:  gruped-topk\n", 'fusecheck.yaml:3:10: switch: vLLM has no switch "gruped-topk"'],
    // Each of them counts.
    ["engin: vllm\nmodle: m\n", ", header_env (and 1 more)"],
    ["__proto__: {engine: vllm}\n", "fusecheck.yaml:1:1: __proto__: there is no such setting"],
    // A value of another kind.
    ["parallel: yes\n", "fusecheck.yaml:1:11: parallel: expected true or false"],
    ["launch:\n  port: 80000\n", "fusecheck.yaml:2:9: launch.port: expected a port from 1 to 65535"],
    ["launch:\n  env:\n    A: 1\n    B: 1.10\n", `fusecheck.yaml:4:8: launch.env.B: ${WORD}`],
    ["launch:\n  env: {A: true}\n", `fusecheck.yaml:2:12: launch.env.A: ${WORD}`],
    ["launch:\n  args:\n    - --tp\n    - 0.5\n", `fusecheck.yaml:4:7: launch.args.1: ${WORD}`],
    ["launch:\n  env: [A=1]\n", "fusecheck.yaml:2:8: launch.env: expected names and values of environment variables"],
    ["launch:\n  - vllm serve\n", "fusecheck.yaml:2:3: launch: expected how to start the server"],
    ["launch: {env: {A-B: 1}}\n", "fusecheck.yaml:1:16: launch.env.A-B: expected the name of an environment variable"],
    ["launch:\n  health: health\n", "fusecheck.yaml:2:11: launch.health: expected a path, such as /health"],
    ["launch:\n  devices: all\n", 'fusecheck.yaml:2:12: launch.devices: expected numbers of GPUs, such as "0,1"'],
    ["timeouts: {startup: 5 weeks}\n", "fusecheck.yaml:1:21: timeouts.startup: expected a duration above 0 and "],
    ["variants:\n  fused:\nmodel: m\n", "fusecheck.yaml:2:9: variants.fused: expected a variant's settings"],
    ["variants:\n  fused: {base_url: []}\n", "fusecheck.yaml:2:21: variants.fused.base_url: expected a base URL, or"],
    ["prefix_caching: true\n", "fusecheck.yaml:1:17: prefix_caching: expected false, or nothing: "],
    ["model: ''\nparallel: 1\n", "fusecheck.yaml:1:8: model: expected a text that is not empty (and 1 more)"],
    // Inside of an alias: where it was written.
    [
      "launch: &both\n  port: 0\nvariants:\n  fused: *both\n",
      "fusecheck.yaml:2:9: launch.port: expected a port from 1 to 65535 (and 1 more)",
    ],
    // Not YAML.
    ["engine: vllm\nengine: atom\n", "fusecheck.yaml:2:1: not YAML: Map keys must be unique"],
    ["model: [a\n", "fusecheck.yaml:2:1: not YAML: "],
    ["model: 'a\n", "fusecheck.yaml:2:1: not YAML: "],
    ["engine: !!python/object vllm\n", "fusecheck.yaml:1:9: not YAML: Unresolved tag"],
    ["model: *m\n", "fusecheck.yaml cannot be read as YAML: Unresolved alias"],
    // Something else.
    ["", "fusecheck.yaml is empty; see docs/engines.md for what belongs there"],
    ["# nothing but this\n", "fusecheck.yaml is empty; see docs/engines.md for what belongs there"],
    ["- engine: vllm\n", 'fusecheck.yaml holds no settings by name, such as "engine: vllm"'],
    ["vllm\n", 'fusecheck.yaml holds no settings by name, such as "engine: vllm"'],
  ])("%j", (text, message) => {
    expect(messageOf(text)).toContain(message);
    expect(messageOf(text).split("\n")).toHaveLength(1);
  });
});

describe("a key in the file is refused, and never shown", () => {
  const KEY = "sk-abcdefghijklmnop";
  it.each([
    ["api_key: SECRET", "fusecheck.yaml:1:1: api_key: keys come from the environment only: set OPENAI_API_KEY, or "],
    ["model: m\ntoken: SECRET", "fusecheck.yaml:2:1: token: keys come from the environment only"],
    ["variants:\n  fused:\n    api-key: SECRET", "fusecheck.yaml:3:5: variants.fused.api-key: keys come from "],
    [
      "launch:\n  env:\n    HF_TOKEN: SECRET",
      "fusecheck.yaml:3:5: launch.env.HF_TOKEN: keys come from the environment only: export",
    ],
    ["launch:\n  env: {VLLM_API_KEY: SECRET}", "fusecheck.yaml:2:9: launch.env.VLLM_API_KEY: keys come from "],
    [
      "launch:\n  args: [--api-key, SECRET]",
      "fusecheck.yaml:2:10: launch.args.0: a key would stand here and in the process list",
    ],
    ["launch:\n  args: --tp 2 --api-key=SECRET", "fusecheck.yaml:2:9: launch.args: a key would stand here"],
    [
      "launch:\n  command: serve --port {port} --api-key SECRET",
      "fusecheck.yaml:2:12: launch.command: a key would stand here",
    ],
  ])("%j", (text, message) => {
    const shown = messageOf(text.replace("SECRET", KEY));
    expect(shown).toContain(message);
    expect(shown).not.toContain(KEY);
  });

  it("what only looks like one is not", () => {
    const text = [
      "api_key_env: MY_KEY",
      "header_env: {authorization: PROXY_AUTH, api-key: AZURE_KEY}",
      "launch:",
      "  args: [--max-num-batched-tokens, 8192, --tokenizer, org/m]",
      "  env: {TOKENIZERS_PARALLELISM: 'false', HF_TOKEN: null}",
    ].join("\n");
    expect(parseConfig(text, "f").api_key_env).toBe("MY_KEY");
  });
});

/** Nine of the one before, eight times over. */
function multiplied(): string {
  const lines = ["x0: &x0 [1]"];
  for (let i = 1; i <= 8; i++)
    lines.push(`x${i}: &x${i} [${Array.from({ length: 9 }, () => `*x${i - 1}`).join(", ")}]`);
  return lines.join("\n");
}

describe("a hostile file", () => {
  it.each([
    ["nested without end", "[".repeat(100_000)],
    ["with aliases that multiply", multiplied()],
    ["with itself inside", "launch: &a\n  env: *a\n"],
  ])("%s is refused", (_, text) => {
    expect(messageOf(text)).toMatch(/^fusecheck\.yaml/);
  });
});

describe("a file on disk", () => {
  function folder(): string {
    const made = mkdtempSync(join(tmpdir(), "fusecheck-config-"));
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    return made;
  }

  it("has its working directories beside it", () => {
    const path = join(folder(), "fusecheck.yaml");
    writeFileSync(path, "variants: {baseline: {cwd: ../old}, fused: {cwd: /new}}\nlaunch: {cwd: here}\n");
    const { launch, variants } = loadConfig(path);
    expect(launch?.cwd).toBe(join(path, "../here"));
    expect(variants?.baseline?.cwd).toBe(join(path, "../../old"));
    expect(variants?.fused?.cwd).toBe("/new");
  });

  it("that cannot be read is said to be so", () => {
    const here = folder();
    expect(() => loadConfig(join(here, "absent.yaml"))).toThrow(/^cannot read .*absent\.yaml: ENOENT/);
    mkdirSync(join(here, "folder.yaml"));
    expect(() => loadConfig(join(here, "folder.yaml"))).toThrow(/^cannot read .*folder\.yaml: EISDIR/);
    writeFileSync(join(here, "large.yaml"), Buffer.alloc(2 ** 20 + 1, 32));
    expect(() => loadConfig(join(here, "large.yaml"))).toThrow("is larger than 1 MiB: no fusecheck.yaml");
  });
});
