/** The four levels that a fused engine is judged on, each with the number that decides it. */
import type { JudgedLevel, JudgedLogprobs, JudgedParity, NotJudged, PairedByFilter } from "../reports/comparison.ts";
import { differenceText } from "../reports/findings.ts";
import { count, counted, size } from "../reports/number-text.ts";
import { faultsByLevel, selectionHeld } from "./verdict.ts";

type Judged = Pick<JudgedLevel, "result" | "decidedBy">;

export function judgeLevels(
  paired: readonly PairedByFilter[],
  parity: JudgedParity | NotJudged,
  logprobs: JudgedLogprobs | NotJudged,
): JudgedLevel[] {
  const faults = faultsByLevel(paired, parity, logprobs);
  return [
    { level: 1, name: "routing data", ...routingData(parity, faults.routingData) },
    { level: 2, name: "selection", ...selection(parity, faults.selection) },
    { level: 3, name: "what follows", ...whatFollows(logprobs, faults.whatFollows) },
    { level: 4, name: "answers", ...answers(paired, faults.answers) },
  ];
}

function decided(faults: readonly string[], held: string): Judged {
  return faults.length > 0 ? { result: "fail", decidedBy: faults.join("; ") } : { result: "pass", decidedBy: held };
}

function unjudged(reason: string): Judged {
  return { result: "not judged", decidedBy: reason };
}

function routingData(parity: JudgedParity | NotJudged, faults: readonly string[]): Judged {
  if (parity.kind === "not judged") return unjudged(parity.reason);
  const { checked, inAnswers } = parity.invariants;
  if (checked + inAnswers === 0) return unjudged("routing data cannot be seen from outside the engine");
  return decided(faults, `0 broken invariants in ${count(checked + inAnswers)} entries`);
}

function selection(parity: JudgedParity | NotJudged, faults: readonly string[]): Judged {
  if (parity.kind === "not judged") return unjudged(parity.reason);
  const { tokens, docs, layers } = parity.routing;
  const weights = layers.map((layer) => layer.weights);
  const compared = weights.some(({ count: n }) => n > 0);
  const worst = compared ? ` (largest Δ ${size(Math.max(...weights.map(({ max }) => max)))})` : "";
  const of = `, ${counted(tokens, "token")} of ${counted(docs, "doc")}`;
  return decided(faults, `${selectionHeld(parity.routing)}${worst}${of}`);
}

function whatFollows(logprobs: JudgedLogprobs | NotJudged, faults: readonly string[]): Judged {
  if (logprobs.kind === "not judged") return unjudged(logprobs.reason);
  const { count: n, sum, max, docs } = logprobs;
  if (n === 0 && faults.length === 0) return unjudged("no log-probabilities to compare");
  const mean = n === 0 ? "" : `, mean ${size(sum / n)}`;
  return decided(
    faults,
    `log-probabilities: largest Δ ${size(max)}${mean}, ${counted(n, "token")} of ${counted(docs, "doc")}`,
  );
}

function answers(paired: readonly PairedByFilter[], faults: readonly string[]): Judged {
  if (!paired.some(({ n }) => n > 0)) return unjudged("no doc was answered by both variants");
  const rows = paired.map((pair) => {
    const { delta, interval } = differenceText(pair);
    const sure = pair.difference.kind === "no discordant pairs" ? `0 of ${counted(pair.n, "doc")} differ` : interval;
    return `${pair.filter} ${delta} points (${sure})`;
  });
  return decided(faults, rows.join("; "));
}
