/** Runs as the history holds them, made up. */
import type { HistoryRun } from "../../../reports/history/record.ts";

/** Of night `night`, with so many of 1319 docs right in both variants; whoever makes it again gets the same. */
export function exampleRun(night: number, correct: number, changes: Partial<HistoryRun> = {}): HistoryRun {
  const created = new Date(Date.UTC(2026, 0, 1 + night, 2)).toISOString();
  const name = changes.name ?? "kimi";
  return {
    id: `${name}-${night}`,
    name,
    model: "Kimi-K2",
    engine: "vllm",
    task: "gsm8k",
    task_version: 3,
    protocol: "0123456789ab",
    created,
    night: created.slice(0, 10),
    complete: true,
    held: true,
    folder: `/runs/${night}`,
    facts: { environment: { git_commit: `c${night}` } },
    scores: ["baseline", "fused"].flatMap((variant) =>
      ["strict-match", "flexible-extract"].map((filter) => ({ variant, filter, correct, n: 1319 })),
    ),
    ...changes,
  };
}
