/** A history of 10,000 nights of 50 models in a SQLite file: how long one series takes to read and to judge. */
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cusumThreshold } from "../metrics/cusum-run-length.ts";
import { openHistory } from "../reports/history/history.ts";
import type { HistoryRun } from "../reports/history/record.ts";
import { trendOf } from "../reports/history/trend.ts";
import { markdownTable } from "./markdown-table.ts";
import { median, range, whole } from "./statistics.ts";

const NIGHTS = 10_000;
const MODELS = 50;
const NIGHTS_PER_TRANSACTION = 200;
const ROUNDS = 20;

export async function benchHistory(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-bench-history-"));
  try {
    const place = join(folder, "history.db");
    const filling = await openHistory(place);
    const start = performance.now();
    for (let night = 0; night < NIGHTS; night += NIGHTS_PER_TRANSACTION) {
      const runs = Array.from({ length: NIGHTS_PER_TRANSACTION * MODELS }, (_, i) =>
        runOf(night + Math.floor(i / MODELS), i % MODELS),
      );
      await filling.add(runs);
    }
    const filled = (performance.now() - start) / 1000;
    await filling.close();
    // What the system has still to write is no part of reading.
    const file = openSync(place, "r+");
    fsyncSync(file);
    closeSync(file);
    // Solving for the threshold does not depend on the history and is shown apart.
    const solved = time(() => cusumThreshold(1000));
    const times = { opened: [] as number[], found: [] as number[], read: [] as number[], judged: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      const from = performance.now();
      const history = await openHistory(place, { create: false });
      const opened = performance.now();
      const [series] = await history.series({ name: `model-${round}`, variant: "fused" });
      const found = performance.now();
      const nights = await history.nights(series!);
      const read = performance.now();
      if (nights.length !== NIGHTS) throw new Error(`${nights.length} nights were read`);
      await trendOf(history, series!);
      const judged = performance.now();
      await history.close();
      times.opened.push(opened - from);
      times.found.push(found - opened);
      times.read.push(read - found);
      times.judged.push(judged - read);
    }
    const ms = (value: number): string => `${value.toFixed(1)} ms`;
    const row = (words: string, values: readonly number[]): string[] => [words, ms(median(values)), range(values, ms)];
    const total = times.opened.map((opened, i) => opened + times.found[i]! + times.read[i]!);
    return [
      markdownTable(
        ["part", "median", "range"],
        [
          row("open", times.opened),
          row("find the series", times.found),
          row("read its 10,000 nights", times.read),
          row("all of these: the query (limit: 100 ms)", total),
          row("read again and judge for drift", times.judged),
        ],
      ),
      "",
      `${whole(NIGHTS * MODELS)} runs, ${whole(2 * NIGHTS * MODELS)} scores, ${whole(statSync(place).size / 2 ** 20)} MiB, written in ${whole(filled)} s, ` +
        `${whole(NIGHTS_PER_TRANSACTION * MODELS)} runs a transaction; ${ROUNDS} series, one after the other. Of judging, ${ms(solved)} go to solving for the threshold.`,
    ].join("\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function runOf(night: number, model: number): HistoryRun {
  const created = new Date(Date.UTC(2000, 0, 1 + night, 2, 0, 0, model)).toISOString();
  return {
    id: `${model}-${night}`,
    name: `model-${model}`,
    model: `model-${model}`,
    engine: "vllm",
    task: "gsm8k",
    task_version: 3,
    protocol: "0123456789ab",
    created,
    night: created.slice(0, 10),
    complete: true,
    held: true,
    folder: `/nightly/${created.slice(0, 10)}/model-${model}`,
    facts: { environment: { git_commit: `${night}`, node: "v20", cpu: "a processor" } },
    scores: ["baseline", "fused"].map((variant) => ({
      variant,
      filter: "strict-match",
      // A wobble of some docs, the same in every run of this benchmark.
      correct: 1250 + ((night * 7 + model * 3) % 9),
      n: 1319,
    })),
  };
}

function time(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}
