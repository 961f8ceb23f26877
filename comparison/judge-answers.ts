/** What the answers say by themselves, by non-inferiority (docs/statistics.md), and how to say it. */
import { decideAll } from "../metrics/decide.ts";
import type { Decision } from "../metrics/decide.ts";
import { ONE_SIDED_LEVEL } from "../metrics/interval.ts";
import type { Interval } from "../metrics/interval.ts";
import { planDocs } from "../metrics/plan-docs.ts";
import type { DocsPlan } from "../metrics/plan-docs.ts";
import { decideSequentially, sequentialInterval } from "../metrics/sequential.ts";
import type { AnswersVerdict, FilterDecision, PairedByFilter } from "../reports/comparison.ts";
import { count, counted, points } from "../reports/number-text.ts";

export interface JudgeAnswersOptions {
  /** As a share. */
  readonly margin: number;
  /** The run was looked at while it went on, to stop once it is decided. Default: false. */
  readonly untilDecided?: boolean;
}

export function judgeAnswers(
  paired: readonly PairedByFilter[],
  { margin, untilDecided = false }: JudgeAnswersOptions,
): AnswersVerdict {
  const level = ONE_SIDED_LEVEL;
  const decisions = (untilDecided ? decideSequentially : decideAll)(paired, { margin, level });
  const filters = paired.map((pair, index): FilterDecision => {
    const decision = decisions[index] as Decision;
    const interval = intervalOf(pair, untilDecided);
    // What a test of a fixed number would take is no plan for this one.
    const plan = decision === "inconclusive" && !untilDecided ? planFor(pair, margin) : undefined;
    return {
      filter: pair.filter,
      decision,
      ...(interval === undefined ? {} : { interval }),
      ...(plan === undefined ? {} : { plan }),
    };
  });
  return { margin, level, method: untilDecided ? "sequential" : "fixed", filters };
}

function intervalOf(pair: PairedByFilter, untilDecided: boolean): Interval | undefined {
  if (pair.difference.kind === "no docs") return undefined;
  if (untilDecided) return sequentialInterval(pair);
  return { low: pair.difference.low, high: pair.difference.high };
}

/**
 * At the discordance seen: what would show equivalence if there is no difference, or, where the difference seen is beyond
 * the margin, what would show one as large.
 */
function planFor({ n, onlyBaseline, onlyFused }: PairedByFilter, margin: number): DocsPlan | undefined {
  if (n === 0) return undefined;
  const seen = (onlyFused - onlyBaseline) / n;
  const discordance = (onlyBaseline + onlyFused) / n;
  const difference = Math.abs(seen) > margin ? seen : 0;
  if (difference === 0 && margin === 0) return undefined;
  return planDocs({ discordance, difference, margin });
}

/** One sentence for filters that found the same, of all filters or of those that came to `only`. */
export function answersText(
  paired: readonly PairedByFilter[],
  { margin, filters, method }: AnswersVerdict,
  only?: Decision,
): string[] {
  const byText = new Map<string, string[]>();
  for (const [index, pair] of paired.entries()) {
    const decided = filters[index] as FilterDecision;
    if (only !== undefined && decided.decision !== only) continue;
    const text = filterText(pair, decided, { margin, method });
    byText.set(text, [...(byText.get(text) ?? []), pair.filter]);
  }
  return [...byText].map(([text, names]) => `${names.join(", ")}: ${text}`);
}

function filterText(
  { n, difference }: PairedByFilter,
  { decision, plan, interval: { low, high } = { low: -1, high: 1 } }: FilterDecision,
  { margin, method }: Pick<AnswersVerdict, "margin" | "method">,
): string {
  if (difference.kind === "no docs") return "no docs";
  const { delta } = difference;
  const kind = method === "sequential" ? "95 % interval at every look" : "95 % interval";
  const interval = `${kind} ${points(low)} to ${points(high)}`;
  const ofMargin = `a margin of ${marginText(margin)}`;
  switch (decision) {
    case "regressed":
      if (difference.kind === "all discordant") return `fused lost every one of ${count(n)} docs (${interval})`;
      return `fused is ${(-100 * delta).toFixed(2)} points lower (${interval})`;
    case "improved":
      return `fused is ${(100 * delta).toFixed(2)} points higher (${interval})`;
    case "equivalent":
      return `${points(delta)} points (${interval}) lies within ${ofMargin}${shownText(low, high)}`;
    default:
      return `${points(delta)} points (${interval}) is inconclusive at ${ofMargin}${planText(plan, n, difference.kind)}`;
  }
}

/** A difference that is there, and too small to matter. */
function shownText(low: number, high: number): string {
  if (high < 0) return "; a loss is shown, but a smaller one";
  return low > 0 ? "; a gain is shown, but a smaller one" : "";
}

function planText(plan: DocsPlan | undefined, n: number, kind: string): string {
  if (plan === undefined) return "";
  if (plan.kind === "out of reach") return `; not even ${counted(plan.most, "doc")} would decide it`;
  // Chance alone left this many docs undecided.
  if (plan.docs <= n) return "; as many docs again may decide it";
  if (kind === "no discordant pairs") return `; ${counted(plan.docs, "doc")} without a flip would decide it`;
  const what =
    plan.decision === "equivalent" ? "if there is no difference" : "if the difference is as large as it looks";
  return `; about ${counted(plan.docs, "doc")} would decide it ${what} (4 times in 5)`;
}

/** `1 point`, `0.5 points` */
function marginText(margin: number): string {
  const inPoints = Number((100 * margin).toPrecision(6));
  return `${inPoints} point${inPoints === 1 ? "" : "s"}`;
}
