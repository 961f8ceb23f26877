/**
 * Routing parity: what both variants' routers chose for the same tokens, compared token by token and layer by layer, and
 * the routing data's invariants that were checked on the way. Reads what `scoreVariant` left in the run folder.
 */
import { compareRouting, mergeRouting, NEAR_TIE_MARGIN, NO_ROUTING } from "../metrics/routing-parity.ts";
import { PictureTally } from "../metrics/routing-picture.ts";
import type { WorstToken } from "../metrics/worst-tokens.ts";
import { judgeLogprobs } from "./judge-logprobs.ts";
import type { InvariantCounts, JudgedLogprobs, JudgedParity, NotJudged } from "../reports/comparison.ts";
import type { ReportedToken } from "../reports/reported-picture.ts";
import type { Journal } from "../reports/journal.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { openCaptureFile } from "../runners/capture-file.ts";
import type { CaptureFile } from "../runners/capture-file.ts";
import { dropped } from "../runners/routed-experts/index.ts";
import type { VariantName } from "../runners/variant-engines.ts";
import { CAPTURE_FILE, SCORED_FILE } from "./score-variant.ts";
import { isLogprobsOnly, openScoredJournal } from "./scored-journal.ts";
import type { ScoredRow } from "./scored-journal.ts";
import { MAX_WEIGHT_DIFFERENCE } from "./verdict.ts";
import { violationText } from "./violation-text.ts";

export interface ParityResult {
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
}

/** What was checked of the routing data while a variant's docs were answered. */
export interface AnswersRouting {
  readonly checked: number;
  readonly broken: number;
  readonly first: string | null;
}

export async function answersRouting(journal: Journal, docs: number): Promise<AnswersRouting> {
  const total = { checked: 0, broken: 0, first: null as string | null };
  for (let docId = 0; docId < docs; docId++) {
    const outcome = (await journal.read(docId))?.outcome;
    if (outcome?.kind !== "completed" || outcome.routing === undefined) continue;
    const { checked, broken, first } = outcome.routing;
    total.checked += checked;
    total.broken += broken;
    if (first !== null) total.first ??= `answering doc ${docId}, ${first}`;
  }
  return total;
}

export function notJudged(reason: string): ParityResult {
  return { parity: { kind: "not judged", reason }, logprobs: { kind: "not judged", reason } };
}

export interface JudgeParityOptions {
  readonly answers?: Readonly<Partial<Record<VariantName, AnswersRouting>>>;
  /** Why routing was not asked for; it is then not judged, and nothing is missing. */
  readonly unasked?: string;
  /** What the baseline is compared with. Default: `fused`. */
  readonly other?: VariantName;
}

/** The rows of what is compared, the baseline first. */
interface Sides {
  readonly names: readonly ["baseline", VariantName];
  readonly rows: readonly [readonly ScoredRow[], readonly ScoredRow[]];
}

/** @throws UserError where a file of the run cannot be read */
export function judgeParity(
  folder: RunFolder,
  { answers = {}, unasked, other = "fused" }: JudgeParityOptions = {},
): ParityResult {
  const [baseline, second] = (["baseline", other] as const).map((name) => readRows(folder.file(SCORED_FILE, name))) as [
    ScoredRow[],
    ScoredRow[],
  ];
  if (baseline.length === 0) return notJudged("the baseline has no completion to compare by");
  const parity = [...baseline, ...second].some(isLogprobsOnly)
    ? ({ kind: "not judged", reason: unasked ?? "routing was not asked for" } as const)
    : judgeRouting(folder, { names: ["baseline", other], rows: [baseline, second] }, answers);
  return { parity, logprobs: judgeLogprobs(baseline, second) };
}

function readRows(path: string): ScoredRow[] {
  const journal = openScoredJournal(path);
  journal.close();
  return [...journal.rows];
}

function judgeRouting(
  folder: RunFolder,
  sides: Sides,
  answers: Readonly<Partial<Record<VariantName, AnswersRouting>>>,
): JudgedParity | NotJudged {
  const lacking = lackingRouting(sides);
  if (lacking !== undefined) return lacking;
  const captures: CaptureFile[] = [];
  try {
    for (const name of sides.names) captures.push(openCaptureFile(folder.file(CAPTURE_FILE, name)));
    const [a, b] = captures as [CaptureFile, CaptureFile];
    const difference = shapeDifference(a, b);
    if (difference !== undefined) return { kind: "not judged", reason: difference };
    const { layers, nExpertsAct: k, nExpertsTot } = a.shape;
    const tolerances = { nearTieMargin: NEAR_TIE_MARGIN, weightTolerance: MAX_WEIGHT_DIFFERENCE };
    const observer = new PictureTally({ layers, k, nExpertsTot, ...tolerances });
    const [baseline, second] = sides.rows;
    const inSecond = starts(second);
    let routing = NO_ROUTING;
    for (const [docId, { from, nTokens }] of starts(baseline)) {
      const other = inSecond.get(docId);
      if (other === undefined) continue;
      const one = a.read(from, from + nTokens);
      const two = b.read(other.from, other.from + other.nTokens);
      if (!sameTokens(one.inputIds, two.inputIds)) {
        const reason = `doc ${docId}: the variants make different tokens of the same prompt`;
        return { kind: "not judged", reason, broken: true };
      }
      const pair = { docId, layers, nTokens, k, baseline: one, fused: two, ...tolerances, observer };
      routing = mergeRouting(routing, compareRouting(pair));
    }
    if (routing.docs === 0) return { kind: "not judged", reason: "no doc was scored by both variants" };
    const { worst, ...picture } = observer.result();
    return {
      kind: "judged",
      routing,
      invariants: countInvariants(sides, answers),
      // Which tokens they are is found out where texts are at hand.
      picture: { ...picture, worst: worst.map(unnamed) },
    };
  } finally {
    for (const capture of captures) capture.close();
  }
}

function unnamed(worst: WorstToken): ReportedToken {
  return { ...worst, token: null };
}

/** Where each doc's tokens stand in its capture. */
function starts(rows: readonly ScoredRow[]): Map<number, { readonly from: number; readonly nTokens: number }> {
  let next = 0;
  return new Map(
    rows.map(({ doc_id: docId, tokens: nTokens }) => {
      const from = next;
      next += nTokens;
      return [docId, { from, nTokens }];
    }),
  );
}

function sameTokens(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((id, position) => id === b[position]);
}

/** A broken capture comes first: it has to be seen to, and it is never parity. */
function lackingRouting({ names, rows: both }: Sides): NotJudged | undefined {
  const lacking = both.flatMap((rows, side) => {
    const variant = names[side] as VariantName;
    // A server that gave routing for some docs can give it: where it gave none, it lost it.
    const lost = rows.some(({ shape }) => shape !== null) ? dropped() : undefined;
    return rows.flatMap(({ doc_id: docId, shape, problem }) => {
      if (shape !== null) return [];
      return [{ variant, docId, problem: problem?.kind === "absent" ? (lost ?? problem) : problem }];
    });
  });
  const [first] = [...lacking.filter(({ problem }) => problem?.kind === "broken"), ...lacking];
  if (first === undefined) return undefined;
  const { variant, docId, problem } = first;
  if (problem === null) return { kind: "not judged", reason: "the engine gives no routing" };
  if (problem.kind === "broken")
    return { kind: "not judged", reason: `${variant}, doc ${docId}: ${problem.reason}`, broken: true };
  const variants = [...new Set(lacking.map((each) => each.variant))];
  const reason = `${variants.join(" and ")}: ${problem.reason}; the same command then captures again`;
  return { kind: "not judged", reason, lacking: true };
}

/** Two variants of one model route among the same experts in the same layers. */
function shapeDifference(a: CaptureFile, b: CaptureFile): string | undefined {
  const facts = ({ shape }: CaptureFile): string =>
    `${shape.nExpertsAct} of ${shape.nExpertsTot} experts in layers ${shape.layers.join(", ")}`;
  return facts(a) === facts(b) ? undefined : `the captures are not of one model: ${facts(a)}, but ${facts(b)}`;
}

const NOTHING_CHECKED: AnswersRouting = { checked: 0, broken: 0, first: null };

function countInvariants(
  { names, rows }: Sides,
  answers: Readonly<Partial<Record<VariantName, AnswersRouting>>>,
): InvariantCounts {
  const counts = { checked: 0, inAnswers: 0, broken: 0, firstBroken: null as string | null };
  for (const [side, variant] of names.entries()) {
    for (const { doc_id: docId, invariants } of rows[side] ?? []) {
      if (invariants === null) continue;
      counts.checked += invariants.checked;
      counts.broken += invariants.broken;
      const [first] = invariants.violations;
      if (first !== undefined) counts.firstBroken ??= `${variant}, scoring doc ${docId}, ${violationText(first)}`;
    }
    const { checked, broken, first } = answers[variant] ?? NOTHING_CHECKED;
    counts.inAnswers += checked;
    counts.broken += broken;
    if (first !== null) counts.firstBroken ??= `${variant}, ${first}`;
  }
  return counts;
}
