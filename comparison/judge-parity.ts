/**
 * Routing parity: what both variants' routers chose for the same tokens, compared token by token and layer by layer, and
 * the routing data's invariants that were checked on the way. Reads what `scoreVariant` left in the run folder.
 */
import { compareLogprobs, mergeLogprobs, NO_LOGPROBS } from "../metrics/logprob-difference.ts";
import { compareRouting, mergeRouting, NO_ROUTING } from "../metrics/routing-parity.ts";
import type { InvariantCounts, JudgedLogprobs, JudgedParity, NotJudged } from "../reports/comparison.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { openCaptureFile } from "../runners/capture-file.ts";
import type { CaptureFile } from "../runners/capture-file.ts";
import { CAPTURE_FILE, SCORED_FILE } from "./score-variant.ts";
import { openScoredJournal } from "./scored-journal.ts";
import type { ScoredRow } from "./scored-journal.ts";

export interface ParityResult {
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
}

const VARIANTS = ["baseline", "fused"] as const;

export function notJudged(reason: string): ParityResult {
  return { parity: { kind: "not judged", reason }, logprobs: { kind: "not judged", reason } };
}

/** @throws UserError where a file of the run cannot be read */
export function judgeParity(folder: RunFolder): ParityResult {
  const [baseline, fused] = VARIANTS.map((variant) => readRows(folder.file(SCORED_FILE, variant))) as [
    ScoredRow[],
    ScoredRow[],
  ];
  if (baseline.length === 0) return notJudged("no completion of the baseline is known token by token");
  return { parity: judgeRouting(folder, baseline, fused), logprobs: judgeLogprobs(baseline, fused) };
}

function readRows(path: string): ScoredRow[] {
  const journal = openScoredJournal(path);
  journal.close();
  return [...journal.rows];
}

function judgeRouting(
  folder: RunFolder,
  baseline: readonly ScoredRow[],
  fused: readonly ScoredRow[],
): JudgedParity | NotJudged {
  if ([...baseline, ...fused].some(({ shape }) => shape === null)) {
    return { kind: "not judged", reason: "the engine gives no routing" };
  }
  const captures: CaptureFile[] = [];
  try {
    for (const variant of VARIANTS) captures.push(openCaptureFile(folder.file(CAPTURE_FILE, variant)));
    const [a, b] = captures as [CaptureFile, CaptureFile];
    const difference = shapeDifference(a, b);
    if (difference !== undefined) return { kind: "not judged", reason: difference };
    const { layers, nExpertsAct: k } = a.shape;
    let routing = NO_ROUTING;
    let from = 0;
    for (const { doc_id: docId, tokens: nTokens } of baseline) {
      const [one, other] = [a.read(from, from + nTokens), b.read(from, from + nTokens)];
      routing = mergeRouting(routing, compareRouting({ docId, layers, nTokens, k, baseline: one, fused: other }));
      from += nTokens;
    }
    return { kind: "judged", routing, invariants: countInvariants({ baseline, fused }) };
  } finally {
    for (const capture of captures) capture.close();
  }
}

/** Two variants of one model route among the same experts in the same layers, and were given the same tokens. */
function shapeDifference(a: CaptureFile, b: CaptureFile): string | undefined {
  const facts = ({ shape, tokens }: CaptureFile): string =>
    `${tokens} tokens, ${shape.nExpertsAct} of ${shape.nExpertsTot} experts in layers ${shape.layers.join(", ")}`;
  return facts(a) === facts(b) ? undefined : `the captures are not of one model: ${facts(a)}, but ${facts(b)}`;
}

function judgeLogprobs(baseline: readonly ScoredRow[], fused: readonly ScoredRow[]): JudgedLogprobs | NotJudged {
  let total = NO_LOGPROBS;
  for (const [index, { doc_id: docId, logprobs: ofBaseline }] of baseline.entries()) {
    const ofFused = fused[index]?.logprobs ?? null;
    if (ofBaseline === null || ofFused === null) {
      return { kind: "not judged", reason: "the engine gives no log-probabilities of given tokens" };
    }
    total = mergeLogprobs(total, compareLogprobs(docId, ofBaseline.map(finite), ofFused.map(finite)));
  }
  return { kind: "judged", ...total };
}

function finite(logprob: number | null): number {
  return logprob ?? Number.NaN;
}

function countInvariants(rows: Readonly<Record<(typeof VARIANTS)[number], readonly ScoredRow[]>>): InvariantCounts {
  const counts = { checked: 0, broken: 0, firstBroken: null as string | null };
  for (const variant of VARIANTS) {
    for (const { doc_id: docId, invariants } of rows[variant]) {
      if (invariants === null) continue;
      counts.checked += invariants.checked;
      counts.broken += invariants.broken;
      const [first] = invariants.violations;
      if (first !== undefined) {
        counts.firstBroken ??= `${variant}, doc ${docId}, layer ${first.layer}: ${first.invariant}, expected ${first.expected}, found ${first.found}`;
      }
    }
  }
  return counts;
}
