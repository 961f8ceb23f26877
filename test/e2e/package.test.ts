/** What the package ships: the built program alone, with its model beside it. */
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { jsonOf, programPath, run, temporaryFolder } from "./program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const parent = temporaryFolder();

describe("the built program", () => {
  it("says its version and helps", async () => {
    const { version } = jsonOf(join(ROOT, "package.json")) as { version: string };
    expect(await run(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: "" });
    const help = await run(["--help"]);
    expect([help.code, help.stderr]).toEqual([0, ""]);
    for (const command of ["eval", "prompts", "score"])
      expect(help.stdout).toMatch(new RegExp(`^  fusecheck ${command} `, "m"));
  });

  // The compiler copies JSON that is imported, and Node.js takes a second package.json for a package of its own.
  it("holds no package.json but the package's", () => {
    const built = readdirSync(join(dirname(programPath()), ".."), { recursive: true, encoding: "utf8" });
    expect(built).toContain("index.js");
    expect(built.filter((path) => basename(path) === "package.json")).toEqual([]);
  });

  it("prints prompts", async () => {
    const { code, stdout } = await run(["prompts", "--task", "gsm_synth", "--limit", "2"]);
    expect([code, stdout.split("\n").length]).toEqual([0, 3]);
  });

  it("scores completions", async () => {
    const completions = join(parent, "completions.jsonl");
    writeFileSync(completions, '{"target":"18","completion":"#### 18"}\n{"target":"5","completion":"#### 6"}\n');
    const { code, stdout } = await run(["score", "--task", "gsm8k", "--completions", completions]);
    expect(code).toBe(0);
    expect(stdout).toContain("|gsm8k|      3|flexible-extract|     5|exact_match|↑  |  0.5|±  |   0.5|");
  });

  it("asks the baseline alone, where there is nothing to compare", async () => {
    const folder = join(parent, "alone");
    const asked = ["eval", "--task", "gsm_synth", "--limit", "2", "--num-fewshot", "0", "--max-tokens", "4"];
    const { code, stdout, stderr } = await run([...asked, "--output", folder]);
    expect([code, stderr]).toEqual([0, `run folder: ${folder}\n`]);
    expect(stdout).toMatch(/^baseline\n\|\s+Tasks[^]*\nComplete\.\n$/);
    const report = readFileSync(join(folder, "report.md"), "utf8");
    expect([stdout, report].join("\n")).not.toMatch(/Paired|Routing|fused -/);
    const quiet = await run([...asked, "--output", folder, "--quiet"]);
    expect(quiet.stdout).toMatch(/^\|\s+Tasks[^]*\|\nComplete\.\n$/);
  });

  it("ends quietly when nobody reads what it prints", async () => {
    const folder = join(parent, "alone");
    const asked = ["eval", "--task", "gsm_synth", "--limit", "2", "--num-fewshot", "0", "--max-tokens", "4"];
    const child = spawn(process.execPath, [programPath(), ...asked, "--output", folder], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((resolve) => child.on("close", resolve));
    expect([code, stderr]).toEqual([0, `run folder: ${folder}\n`]);
  });
});

it("the package holds the model, and neither its training code nor tests", () => {
  interface Packed {
    readonly files: readonly { readonly path: string }[];
  }
  const printed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    shell: process.platform === "win32",
  });
  const [packed] = Object.values(JSON.parse(printed) as Record<string, Packed>);
  const files = packed?.files.map(({ path }) => path) ?? [];
  for (const file of ["config.json", "model.safetensors", "tokenizer.json"])
    expect(files).toContain(`models/abacus-8m/${file}`);
  expect(files).toContain("LICENSE");
  // The one Python file that users import.
  expect(files.filter((path) => path.endsWith(".py"))).toEqual(["hooks/fusecheck_tap.py"]);
  expect(files.filter((path) => /training|^test|\/test\/|bench|^[a-z]+\/.*(?<!\.d)\.ts$/.test(path))).toEqual([]);
});
