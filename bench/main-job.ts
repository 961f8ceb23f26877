/** The README's main command as its reader runs it, installation aside. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Comparison } from "../reports/comparison.ts";
import { markdownTable } from "./markdown-table.ts";
import { whole } from "./statistics.ts";

/** What it may take on two processors. */
const LIMIT_SECONDS = 120;

export async function benchMainJob(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-bench-"));
  const flags = ["--task", "gsm_synth", "--fused"];
  const output = join(folder, "run");
  try {
    const start = performance.now();
    await run(["run", "--silent", "eval", "--", ...flags, "--quiet", "--output", output]);
    const seconds = (performance.now() - start) / 1000;
    const { variants } = JSON.parse(readFileSync(join(output, "comparison.json"), "utf8")) as Comparison;
    const rows = variants.map((variant) => [
      variant.name,
      `${variant.seconds.toFixed(0)} s`,
      "",
      whole(variant.counts.scored),
      whole(variant.promptTokens),
      whole(variant.generatedTokens),
    ]);
    const total = ["the whole command", `${seconds.toFixed(0)} s`, `${LIMIT_SECONDS} s`, "", "", ""];
    return [
      markdownTable(["part", "wall time", "limit", "docs", "prompt tokens", "generated tokens"], [...rows, total]),
      "",
      `\`npm run eval -- ${flags.join(" ")}\`, once. The rest of the time goes to routing parity and to loading.`,
    ].join("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("npm", args, { stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`npm ${args.join(" ")} ended with exit code ${code}`));
    });
  });
}
