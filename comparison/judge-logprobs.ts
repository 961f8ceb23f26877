/** What both variants' log-probabilities of the same tokens say: of given tokens, or as far as both generate the same. */
import { compareLogprobs, mergeLogprobs, NO_LOGPROBS } from "../metrics/logprob-difference.ts";
import type { LogprobDifference } from "../metrics/logprob-difference.ts";
import type { JudgedLogprobs, NotJudged, PartedTexts } from "../reports/comparison.ts";
import type { LogprobWay } from "../runners/runner.ts";
import type { ScoredRow } from "./scored-journal.ts";

type Way = NonNullable<JudgedLogprobs["way"]>;

export function judgeLogprobs(baseline: readonly ScoredRow[], fused: readonly ScoredRow[]): JudgedLogprobs | NotJudged {
  const byDoc = new Map(fused.map((row) => [row.doc_id, row]));
  let total = NO_LOGPROBS;
  let way: Way = "given tokens";
  let parted: PartedTexts = { docs: 0, first: null };
  const reasons: string[] = [];
  for (const row of baseline) {
    const other = byDoc.get(row.doc_id);
    if (other === undefined) continue;
    const compared = compareRows(row, other);
    if (compared.kind === "lacking") {
      reasons.push(compared.reason);
      continue;
    }
    way = compared.way;
    total = mergeLogprobs(total, compared.difference);
    if (compared.partedAt !== undefined)
      parted = { docs: parted.docs + 1, first: parted.first ?? { doc_id: row.doc_id, token: compared.partedAt } };
  }
  const [reason] = reasons;
  if (total.docs === 0) return { kind: "not judged", reason: reason ?? "no doc was scored by both variants" };
  if (total.count + total.notFinite === 0)
    return { kind: "not judged", reason: "what each variant generates for itself differs from its first token on" };
  return {
    kind: "judged",
    ...total,
    way,
    ...(way === "generated" && { parted }),
    ...(reason !== undefined && { lacking: { docs: reasons.length, reason } }),
  };
}

type Compared =
  | {
      readonly kind: "compared";
      readonly way: Way;
      readonly difference: LogprobDifference;
      /** The first token that differs, from 0, where both generated and do not say the same. */
      readonly partedAt?: number;
    }
  | { readonly kind: "lacking"; readonly reason: string };

function compareRows(baseline: ScoredRow, fused: ScoredRow): Compared {
  const [a, b] = [baseline.logprobs, fused.logprobs];
  if (a === null || b === null) return lacking(whyNone(baseline, fused));
  if (baseline.way !== fused.way)
    return lacking(`baseline's are of ${wayText(baseline)}, fused's of ${wayText(fused)}`);
  const { way } = baseline;
  const difference = (one: readonly (number | null)[], two: readonly (number | null)[]): LogprobDifference =>
    compareLogprobs(baseline.doc_id, one.map(finite), two.map(finite));
  if (way === undefined || way === null) {
    if (a.length !== b.length) return lacking("the variants were given different tokens");
    return { kind: "compared", way: "given tokens", difference: difference(a, b) };
  }
  const [names, others] = [baseline.token_names ?? [], fused.token_names ?? []];
  const shared = sharedStart(names, others);
  const whole = shared === names.length && shared === others.length;
  if (way === "given text" && !whole) return lacking("the variants make different tokens of the same text");
  const compared = { kind: "compared", way, difference: difference(a.slice(0, shared), b.slice(0, shared)) } as const;
  return whole ? compared : { ...compared, partedAt: shared };
}

function lacking(reason: string): Compared {
  return { kind: "lacking", reason };
}

function whyNone(baseline: ScoredRow, fused: ScoredRow): string {
  const [variant, row] = baseline.logprobs === null ? (["baseline", baseline] as const) : (["fused", fused] as const);
  return row.reason === undefined
    ? "the engine gives no log-probabilities of given tokens"
    : `${variant}: ${row.reason}`;
}

function wayText({ way }: { readonly way?: LogprobWay | null }): string {
  return { "given text": "the given text", generated: "what it generates" }[way as LogprobWay] ?? "given tokens";
}

function finite(logprob: number | null): number {
  return logprob ?? Number.NaN;
}

function sharedStart(a: readonly string[], b: readonly string[]): number {
  const differing = a.findIndex((name, i) => name !== b[i]);
  return differing < 0 ? a.length : differing;
}
