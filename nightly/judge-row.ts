/** What a row's runs come to. Pure. */
import { judgeRouting } from "../comparison/verdict.ts";
import type { Comparison } from "../reports/comparison.ts";
import { points } from "../reports/number-text.ts";
import type { NightlyRow } from "./config.ts";
import { worst } from "./decide.ts";
import type { FilterDecision } from "./decide.ts";
import type { RowOutcome } from "./summary.ts";

interface Judged {
  readonly outcome: RowOutcome;
  readonly reasons: readonly string[];
}

/** What is wrong comes before what is missing, and that before what is not known. */
export function judgeRow(
  row: Pick<NightlyRow, "threshold" | "margin" | "fused">,
  runs: readonly [Comparison, ...Comparison[]],
  decisions: readonly FilterDecision[],
): Judged {
  const [first] = runs;
  const broken = [
    ...runs.flatMap(({ parity }) => judgeRouting(parity)),
    ...belowThreshold(row.threshold, first),
    ...decisions.filter(({ decision }) => decision === "regressed").map(decisionText),
  ];
  // Without a margin the run's own verdict decides on the answers.
  if (decisions.length === 0 && broken.length === 0 && !first.verdict.held && compared(first))
    broken.push(...first.verdict.reasons);
  if (broken.length > 0) return { outcome: "regressed", reasons: broken };
  const incomplete = runs.find(({ verdict }) => !verdict.complete);
  if (incomplete !== undefined) return { outcome: "incomplete", reasons: incomplete.verdict.reasons };
  if (row.margin !== undefined && row.fused && worst(decisions) === "inconclusive")
    return { outcome: "inconclusive", reasons: decisions.map(decisionText) };
  return { outcome: "held", reasons: decisions.length > 0 ? decisions.map(decisionText) : first.verdict.reasons };
}

function compared({ paired }: Comparison): boolean {
  return paired.some(({ n }) => n > 0);
}

/** Of the values as they are: a threshold says what is acceptable, not what is likely. */
function belowThreshold(threshold: NightlyRow["threshold"], { variants }: Comparison): string[] {
  if (threshold === undefined) return [];
  return variants.flatMap(({ name, table }) =>
    Object.values(table.results).flatMap((result) =>
      Object.entries(result).flatMap(([key, value]) => {
        const [, filter] = /^exact_match,(.+)$/.exec(key) ?? [];
        if (filter === undefined || typeof value !== "number") return [];
        const least = typeof threshold === "number" ? threshold : threshold[filter];
        if (least === undefined || value >= least) return [];
        return [`${name}, ${filter}: exact match ${value.toFixed(4)} is below the threshold of ${least}`];
      }),
    ),
  );
}

function decisionText({ filter, decision, n, runs, delta, low, high }: FilterDecision): string {
  const of = runs === 1 ? `${n} docs` : `${n} docs, ${runs} runs`;
  return `${filter}: ${decision}: fused ${points(delta)} points (${points(low)} to ${points(high)}; ${of})`;
}
