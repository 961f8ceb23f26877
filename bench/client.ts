/** What asking costs: fusecheck and lm-eval ask the same server, in another process, the same prompts; it answers at once. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Comparison } from "../reports/comparison.ts";
import { builtPackage } from "../test/e2e/build.ts";
import type { BenchmarkOptions } from "./benchmark.ts";
import { markdownTable } from "./markdown-table.ts";
import { runLmEval } from "./peers/lm-eval.ts";
import { median, range, whole } from "./statistics.ts";

const CONCURRENCY = 64;
const SHOTS = 5;
const DOCS = 1319;
/** What remains of a run with few docs is start-up; the rest is what a request costs. */
const FEW = 64;
const MANY = 100_000;
const ROUNDS = 3;

interface Usage {
  readonly seconds: number;
  readonly cpu_seconds: number;
  readonly peak_mib: number;
}

interface Measured extends Usage {
  /** Docs that were right, by strict match: both must have been given the same answers. */
  readonly correct: number;
}

type Client = (limit: number) => Promise<Measured>;

export async function benchClient({ data, lmEvalPython }: BenchmarkOptions): Promise<string> {
  if (data === undefined) return "not measured: needs GSM8K's files and completions, `-- client --data DIR`";
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-bench-"));
  const server = await startReplayServer(data);
  try {
    const ours = fusecheck(server.baseUrl, folder, ["--task", "gsm8k", "--data", data, "--num-fewshot", String(SHOTS)]);
    const lmEval = lmEvalPython === undefined ? undefined : lmEvalClient(server.baseUrl, folder, data, lmEvalPython);
    const table = await sideBySide(ours, lmEval);
    const synth = fusecheck(server.baseUrl, folder, ["--task", "gsm_synth"]);
    return [table, "", await memory(synth)].join("\n");
  } finally {
    server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function sideBySide(ours: Client, lmEval: Client | undefined): Promise<string> {
  const clients = [ours, ...(lmEval === undefined ? [] : [lmEval])];
  const all = clients.map((): Measured[] => []);
  const few = clients.map((): Measured[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, client] of clients.entries()) {
      few[index]?.push(await client(FEW));
      all[index]?.push(await client(DOCS));
    }
  }
  const correct = new Set(all.flat().map((each) => each.correct));
  if (correct.size !== 1) throw new Error(`the same answers were marked differently: ${[...correct].join(", ")}`);
  const perThousand = (index: number): number[] =>
    (all[index] ?? []).map(({ cpu_seconds: cpu }) => (cpu / DOCS) * 1000);
  const withoutStart = (index: number): number[] =>
    (all[index] ?? []).map(
      ({ cpu_seconds: cpu }, round) => ((cpu - (few[index]?.[round]?.cpu_seconds ?? NaN)) / (DOCS - FEW)) * 1000,
    );
  const row = (what: string, of: (index: number) => number[], format: (value: number) => string): string[] => {
    const own = of(0);
    if (lmEval === undefined) return [what, cell(own, format), "not measured: `-- client --lm-eval-python PATH`", "-"];
    const ratios = of(1).map((value, round) => value / (own[round] as number));
    return [what, cell(own, format), cell(of(1), format), `${median(ratios).toFixed(1)}x`];
  };
  const ofAll = (of: (each: Measured) => number) => (index: number) => (all[index] ?? []).map(of);
  return [
    markdownTable(
      ["", "fusecheck", "lm-eval, local-completions", "ratio"],
      [
        row("CPU seconds per 1,000 requests, start-up included", perThousand, twoDigits),
        row("CPU seconds per 1,000 requests, without start-up", withoutStart, twoDigits),
        row(
          `wall seconds, ${whole(DOCS)} docs`,
          ofAll(({ seconds }) => seconds),
          oneDigit,
        ),
        row(
          "peak memory, MiB",
          ofAll(({ peak_mib: mib }) => mib),
          whole,
        ),
      ],
    ),
    "",
    `GSM8K's ${whole(DOCS)} docs, ${SHOTS} shots, ${CONCURRENCY} requests at a time, results and samples written by both; ` +
      `${whole([...correct][0] ?? NaN)} right by strict match under both. User and system time of the client's process; without start-up: ` +
      `the difference to a run of ${FEW} docs. Median (range) of ${ROUNDS} rounds in turns; the ratio is the median of the rounds' own.`,
  ].join("\n");
}

async function memory(synth: Client): Promise<string> {
  const rows: string[][] = [];
  for (const docs of [DOCS, MANY]) {
    const { seconds, cpu_seconds: cpu, peak_mib: mib } = await synth(docs);
    rows.push([whole(docs), whole(mib), twoDigits((cpu / docs) * 1000), whole(seconds)]);
  }
  return [
    markdownTable(["docs of gsm_synth", "peak memory, MiB", "CPU seconds per 1,000 docs", "wall seconds"], rows),
    "",
    `One variant, against the same server, once each.`,
  ].join("\n");
}

function fusecheck(baseUrl: string, folder: string, flags: readonly string[]): Client {
  const program = join(builtPackage(), "dist/bin/fusecheck.js");
  const usage = fileURLToPath(new URL("peers/usage.mjs", import.meta.url));
  let runs = 0;
  return async (limit) => {
    const output = join(folder, `run-${flags[1]}-${runs++}`);
    const args = ["--import", usage, program, "eval", ...flags, "--limit", String(limit), "--base-url", baseUrl];
    args.push("--concurrency", String(CONCURRENCY), "--max-tokens", "256", "--quiet", "--output", output);
    const measured = await measure(folder, (env) => promisify(execFile)(process.execPath, args, { env }));
    const { variants } = JSON.parse(readFileSync(join(output, "comparison.json"), "utf8")) as Comparison;
    const table = variants[0]?.table.results[flags[1] as string] as Readonly<Record<string, number>>;
    rmSync(output, { recursive: true });
    return { ...measured, correct: Math.round((table["exact_match,strict-match"] ?? NaN) * limit) };
  };
}

function lmEvalClient(baseUrl: string, folder: string, data: string, python: string): Client {
  let runs = 0;
  return async (limit) => {
    const job = { python, data, baseUrl, model: "replay", numFewshot: SHOTS, limit, concurrency: CONCURRENCY };
    const own = join(folder, `lm-eval-${runs++}`);
    let correct = NaN;
    const measured = await measure(folder, async (env) => {
      const { samples } = await runLmEval({ ...job, folder: own, env });
      correct = samples.filter((row) => row.filter === "strict-match" && row.exact_match === 1).length;
    });
    return { ...measured, correct };
  };
}

/** Runs a client that writes its own usage. */
async function measure(folder: string, run: (env: Record<string, string>) => Promise<unknown>): Promise<Usage> {
  const file = join(folder, "usage.json");
  const start = performance.now();
  await run({ ...(process.env as Record<string, string>), FUSECHECK_USAGE: file });
  const seconds = (performance.now() - start) / 1000;
  return { seconds, ...(JSON.parse(readFileSync(file, "utf8")) as Omit<Usage, "seconds">) };
}

async function startReplayServer(data: string): Promise<{ readonly baseUrl: string; readonly stop: () => void }> {
  const script = fileURLToPath(new URL("peers/replay-server.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, data], { stdio: ["ignore", "pipe", "inherit"] });
  const baseUrl = await new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the replay server ended with ${code}`)));
    child.stdout.setEncoding("utf8").once("data", (line: string) => resolve(line.trim()));
  });
  return { baseUrl, stop: () => void child.kill() };
}

function cell(values: readonly number[], format: (value: number) => string): string {
  return `${format(median(values))} (${range(values, format)})`;
}

function twoDigits(value: number): string {
  return value.toFixed(2);
}

function oneDigit(value: number): string {
  return value.toFixed(1);
}
