/** Runs the program as a user does: in a process of its own. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface CliRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * @param options.env - besides this process's own
 * @param options.closeAfter - closes the reading end of standard output once so many characters have come
 */
export function runFusecheck(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly closeAfter?: number } = {},
): Promise<CliRun> {
  const child = spawn(process.execPath, ["--import", "tsx", "bin/fusecheck.ts", ...args], {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (options.closeAfter !== undefined && stdout.length >= options.closeAfter) child.stdout.destroy();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
