/** Servers that a test starts itself, and what a run made of their answers. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { split } from "shlex";
import { onTestFinished } from "vitest";
import { fileOf, rowsOf } from "../e2e/program.ts";
import type { LmEvalSample } from "../../bench/peers/lm-eval.ts";

/** Starts it with its placeholders filled in; it ends with the test. */
export async function serve(command: string, model: string, path: string): Promise<string> {
  const port = await freePort();
  const filled = command.replaceAll("{model}", model).replaceAll("{host}", "127.0.0.1").replaceAll("{port}", `${port}`);
  const [file = "", ...args] = split(filled);
  const child = spawn(file, args, { stdio: "ignore", detached: true });
  const ended = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  onTestFinished(async () => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    await ended;
  });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${file} ended with ${child.exitCode}`);
    const answered = await fetch(`http://127.0.0.1:${port}${path}`).then(
      ({ status }) => status !== 503,
      () => false,
    );
    if (answered) return `http://127.0.0.1:${port}/v1`;
    await sleep(250);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The rows of a variant's samples file: lm-eval's schema. */
export function samplesOf(folder: string, variant = "baseline"): LmEvalSample[] {
  return rowsOf<LmEvalSample>(fileOf(folder, variant, "samples_"));
}

/** What was asked and what came back, doc by doc. */
export function answersOf(folder: string, variant = "baseline"): Map<string, string> {
  const rows = samplesOf(folder, variant).filter(({ filter }) => filter === "strict-match");
  return new Map(rows.map(({ prompt_hash: prompt, resps }) => [prompt, resps[0]?.[0] ?? ""]));
}

/** How many prompts have the same answer in both. */
export function sameAnswers(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): number {
  return [...a].filter(([prompt, text]) => b.get(prompt) === text).length;
}
