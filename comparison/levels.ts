/** The four levels of parity as rows: what was judged, what was found, what it was held to. */
import { relativeDifference } from "../metrics/output-difference.ts";
import { tiesOf } from "../metrics/routing-parity.ts";
import type { Comparison, JudgedOutputs, LevelRow, NoiseFloor } from "../reports/comparison.ts";
import { count, counted, size } from "../reports/number-text.ts";
import { judgeAnswers } from "./judge-answers.ts";
import type { JudgeAnswersOptions } from "./judge-answers.ts";
import { FLOOR_THRESHOLDS, LOGPROB_THRESHOLD, logprobFaults, ROUTING_THRESHOLDS, routingFaults } from "./verdict.ts";

type Judged = Pick<Comparison, "paired" | "parity" | "logprobs" | "outputs" | "divergence">;

const NO_THRESHOLD = "no threshold: ";

/**
 * Largest difference of a MoE layer's output, root mean square over that of the output itself. Two orders of summing in
 * float32 were seen to make 5e-7 of it on the embedded model; bfloat16 would make some 1e-3.
 */
const MAX_RELATIVE_OUTPUT = 1e-4;

/** In nats, at any token. Of such outputs 2e-12 was seen; it goes with the square of what the outputs differ by. */
const MAX_KL = 1e-6;

export function levelsOf(judged: Judged, options: JudgeAnswersOptions, floor?: NoiseFloor): LevelRow[] {
  const rows = rowsOf(judged, options, floor);
  if (floor === undefined) return rows;
  const outputs = { kind: "not judged", reason: "compared once" } as const;
  const ofFloor = new Map(rowsOf({ ...floor, outputs }, options).map((each) => [each.what, each]));
  return rows.map((each) => {
    const measured = ofFloor.get(each.what)?.found.replace(NO_THRESHOLD, "");
    return measured === undefined || measured === outputs.reason ? each : Object.assign(each, { floor: measured });
  });
}

function rowsOf(judged: Judged, options: JudgeAnswersOptions, floor?: NoiseFloor): LevelRow[] {
  return [
    routingDataRow(judged),
    expertsRow(judged, floor),
    weightsRow(judged, floor),
    ...outputRows(judged),
    logprobsRow(judged, floor),
    divergenceRow(judged),
    ...answerRows(judged, options),
  ];
}

/** What the layers' outputs say against the engine. */
export function outputFaults(outputs: Comparison["outputs"]): string[] {
  return outputRows({ outputs })
    .filter(({ outcome }) => outcome === "fail")
    .map(({ what, found, threshold }) => `${what}: ${found}, more than ${threshold}`);
}

function unjudged(level: LevelRow["level"], what: string, reason: string): LevelRow {
  return { level, what, outcome: "not judged", found: reason, threshold: null };
}

function row(level: LevelRow["level"], what: string, fails: boolean, found: string, threshold: string): LevelRow {
  return { level, what, outcome: fails ? "fail" : "pass", found, threshold };
}

function routingDataRow({ parity }: Judged): LevelRow {
  const what = "routing data";
  if (parity.kind === "not judged") return unjudged(1, what, parity.reason);
  const { checked, inAnswers, broken } = parity.invariants;
  if (checked + inAnswers === 0) return unjudged(1, what, "cannot be seen from outside the engine");
  const found = `${counted(broken, "broken invariant")} in ${count(checked + inAnswers)} entries`;
  return row(1, what, broken > 0, found, "none broken");
}

function expertsRow({ parity }: Judged, floor?: NoiseFloor): LevelRow {
  const what = "experts, as sets";
  if (parity.kind === "not judged") return unjudged(2, what, parity.reason);
  const { routing } = parity;
  const fails = routingFaults(routing, floor).experts.length > 0;
  const measured = floor?.parity.kind === "judged";
  if (!routing.marginsKnown) {
    const found = `${count(routing.tokensAffected)} of ${counted(routing.tokens, "token")} to other experts`;
    return row(2, what, fails, found, measured ? FLOOR_THRESHOLDS.rate : ROUTING_THRESHOLDS.tokens);
  }
  const sum = (of: "tokens" | "nearTies" | "downstream" | "unexplained"): number =>
    routing.layers.reduce((total, layer) => total + layer[of], 0);
  const { both, onlyBaseline, onlyFused } = tiesOf(routing);
  const found =
    `of ${counted(sum("tokens"), "choice")} ${count(sum("unexplained"))} unexplained, ${counted(sum("nearTies"), "near-tie")}, ` +
    `${count(sum("downstream"))} downstream; so close are ${count(both)} in both, ${count(onlyBaseline)} in the ` +
    `baseline alone, ${count(onlyFused)} in fused alone`;
  return row(2, what, fails, found, measured ? FLOOR_THRESHOLDS.rate : ROUTING_THRESHOLDS.experts);
}

function weightsRow({ parity }: Judged, floor?: NoiseFloor): LevelRow {
  const what = "weights, by id";
  if (parity.kind === "not judged") return unjudged(2, what, parity.reason);
  const all = parity.routing.layers.map(({ weights }) => weights);
  const compared = all.reduce((sum, weights) => sum + weights.count, 0);
  if (compared === 0) return unjudged(2, what, "the engine gives no weights, or none of the same experts");
  const found = `largest difference ${size(Math.max(...all.map(({ max }) => max)))} of ${counted(compared, "weight")}`;
  const held = [ROUTING_THRESHOLDS.weights, ...(floor?.parity.kind === "judged" ? [FLOOR_THRESHOLDS.size] : [])];
  return row(2, what, routingFaults(parity.routing, floor).weights.length > 0, found, held.join(", "));
}

function outputRows({ outputs }: Pick<Judged, "outputs">): LevelRow[] {
  const [what, kl] = ["layer outputs", "KL divergence of the next token"];
  if (outputs.kind === "not judged") return [unjudged(3, what, outputs.reason), unjudged(3, kl, outputs.reason)];
  return [layerOutputs(what, outputs), divergences(kl, outputs)];
}

function layerOutputs(what: string, { layers, docs, tokens, tokensNotJudged }: JudgedOutputs): LevelRow {
  const notFinite = layers.reduce((sum, layer) => sum + layer.notFinite, 0);
  const worst = layers.toSorted((a, b) => relativeDifference(b) - relativeDifference(a))[0];
  if (worst === undefined || worst.count + notFinite === 0) return unjudged(3, what, "no token before other experts");
  const relative = relativeDifference(worst);
  const found =
    `${size(relative)} of their size in layer ${worst.layer}, ${size(Math.max(...layers.map((layer) => layer.maxDifference)))} ` +
    `at most, over ${counted(tokens - tokensNotJudged, "token")} of ${counted(docs.length, "doc")}` +
    (notFinite === 0 ? "" : `; ${count(notFinite)} not finite`);
  const threshold = `${size(MAX_RELATIVE_OUTPUT)} of their size (root mean square) in any layer`;
  return row(3, what, !(relative <= MAX_RELATIVE_OUTPUT) || notFinite > 0, found, threshold);
}

function divergences(what: string, { kl }: JudgedOutputs): LevelRow {
  if (kl.count + kl.notFinite === 0) return unjudged(3, what, "no token before other experts");
  const found =
    `largest ${size(kl.max)}, mean ${size(kl.count === 0 ? 0 : kl.sum / kl.count)} nats over ${counted(kl.count, "token")}` +
    (kl.notFinite === 0 ? "" : `; ${count(kl.notFinite)} not finite`);
  return row(3, what, kl.max > MAX_KL || kl.notFinite > 0, found, `${size(MAX_KL)} nats at any token`);
}

function logprobsRow({ logprobs }: Judged, floor?: NoiseFloor): LevelRow {
  const what = "log-probabilities";
  if (logprobs.kind === "not judged") return unjudged(3, what, logprobs.reason);
  const { count: n, sum, max, notFinite } = logprobs;
  if (n + notFinite === 0) return unjudged(3, what, "none to compare");
  const found = `largest difference ${size(max)}, mean ${size(n === 0 ? 0 : sum / n)} over ${counted(n, "token")}`;
  const held = [LOGPROB_THRESHOLD, ...(floor?.logprobs.kind === "judged" ? [FLOOR_THRESHOLDS.size] : [])];
  return row(3, what, logprobFaults(logprobs, floor).length > 0, found, held.join(", "));
}

function divergenceRow({ divergence }: Judged): LevelRow {
  const what = "greedy texts";
  if (divergence.kind === "not judged") return unjudged(3, what, divergence.reason);
  const { docs, diverged, unit, medianPosition, first } = divergence;
  const one = first[0];
  const found =
    one === undefined
      ? `all of ${counted(docs, "doc")} the same, ${unit} by ${unit}`
      : `${count(diverged)} of ${counted(docs, "doc")} diverge, the median at ${unit} ${count(medianPosition ?? 0)} ` +
        `(the first: doc ${one.doc_id}, ${unit} ${count(one.position)}, ${said(one.baseline)} and ${said(one.fused)})`;
  // A single near-tie makes a text another one, which is as right.
  return unjudged(3, what, `${NO_THRESHOLD}${found}`);
}

function said(what: number | string | null): string {
  if (what === null) return "its end";
  return typeof what === "number" ? String(what) : JSON.stringify(what);
}

function answerRows({ paired }: Judged, options: JudgeAnswersOptions): LevelRow[] {
  const { filters } = judgeAnswers(paired, options);
  return paired.map(({ filter, n, onlyBaseline, onlyFused }, index) => {
    const what = `answers, ${filter}`;
    if (n === 0) return unjudged(4, what, "no doc was answered by both variants");
    const fails = filters[index]?.decision === "regressed";
    const found = `of ${counted(n, "doc")} ${count(onlyBaseline)} right in the baseline alone, ${count(onlyFused)} in fused alone`;
    return row(4, what, fails, found, "no loss shown (one-sided, 2.5 %)");
  });
}
