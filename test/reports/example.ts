/** A comparison with the size and the numbers of a real run, for the tests of what is rendered. */
import { exactMatch } from "../../metrics/exact-match.ts";
import { pairedDifference } from "../../metrics/paired.ts";
import type { Interval } from "../../metrics/interval.ts";
import { wilsonInterval } from "../../metrics/wilson.ts";
import type {
  AnswersVerdict,
  Comparison,
  FilterInterval,
  FlippedDoc,
  MarkedAnswer,
  PairedByFilter,
  VariantSummary,
} from "../../reports/comparison.ts";
import { tableInput } from "../../reports/lm-eval-results.ts";
import { brokenPicture, heldPicture } from "./example-picture.ts";

const DOCS = 200;

/** Scores of both variants: right in both, only in the baseline, only fused, wrong in both. */
function scores(counts: readonly number[]): { baseline: (0 | 1)[]; fused: (0 | 1)[] } {
  const cells: readonly (readonly [0 | 1, 0 | 1])[] = [
    [1, 1],
    [1, 0],
    [0, 1],
    [0, 0],
  ];
  const pairs = cells.flatMap((cell, index) => Array.from({ length: counts[index]! }, () => cell));
  return { baseline: pairs.map(([score]) => score), fused: pairs.map(([, score]) => score) };
}

interface Scores {
  readonly strict: ReturnType<typeof scores>;
  readonly flexible: ReturnType<typeof scores>;
}

function interval(filter: string, marks: readonly (0 | 1)[]): FilterInterval {
  const correct = marks.filter((mark) => mark === 1).length;
  return { filter, correct, n: DOCS, ...(wilsonInterval(correct, DOCS) as Interval) };
}

function variant({ strict, flexible }: Scores, name: "baseline" | "fused", seconds: number): VariantSummary {
  return {
    name,
    table: tableInput({
      task: "gsm_synth",
      version: 1,
      numFewshot: 3,
      effectiveDocs: DOCS,
      scores: [
        { filter: "strict-match", summary: exactMatch(strict[name]) },
        { filter: "flexible-extract", summary: exactMatch(flexible[name]) },
      ],
    }),
    intervals: [interval("strict-match", strict[name]), interval("flexible-extract", flexible[name])],
    counts: { total: DOCS, scored: 198, unanswered: 2, failed: 0, skipped: 0 },
    truncated: 1,
    promptTokens: 98_412,
    generatedTokens: 14_077,
    seconds,
    engine: {},
    failures: [],
  };
}

function paired({ strict, flexible }: Scores): PairedByFilter[] {
  return [
    { filter: "strict-match", ...pairedDifference(strict.baseline, strict.fused) },
    { filter: "flexible-extract", ...pairedDifference(flexible.baseline, flexible.fused) },
  ];
}

const flipped: Scores = { strict: scores([168, 2, 1, 29]), flexible: scores([171, 2, 1, 26]) };
const same: Scores = { strict: scores([170, 0, 0, 30]), flexible: scores([173, 0, 0, 27]) };

function answersOf(of: Scores): AnswersVerdict {
  const filters = paired(of).map(({ filter }) => ({ filter, decision: "inconclusive" as const }));
  return { margin: 0.01, level: 0.025, method: "fixed", filters };
}

/** A flip under both filters, which found the same answers. */
function flip(doc_id: number, baseline: MarkedAnswer, fused: MarkedAnswer): FlippedDoc[] {
  return ["strict-match", "flexible-extract"].map((filter) => ({ doc_id, filter, baseline, fused }));
}

/** Parity is broken and three docs flipped. */
export const broken: Comparison = {
  schema: 1,
  fusecheck: "0.1.0",
  created: "2026-11-24T15:40:02.113Z",
  task: { name: "gsm_synth", version: 1, docs: 1000, provenance: "generated, seed 1234" },
  engine: { name: "embedded", model: "abacus-8m", model_sha256: "3f1c9a52e7d0", dtype: "float32" },
  environment: {
    node: "v20.20.2",
    platform: "linux x64",
    cpu: "AMD EPYC 9354",
    cores: 2,
    git_commit: "b3e5288",
    git_dirty: false,
  },
  settings: { limit: DOCS, num_fewshot: 3, seed: 1234, max_tokens: 256, temperature: 0 },
  command: "fusecheck eval --task gsm_synth --fused --limit 200",
  variants: [variant(flipped, "baseline", 31.24), variant(flipped, "fused", 29.07)],
  paired: paired(flipped),
  flips: [
    ...flip(17, { extracted: "18", exact_match: 1 }, { extracted: "24", exact_match: 0 }),
    ...flip(41, { extracted: "1,280", exact_match: 0 }, { extracted: "1,296", exact_match: 1 }),
    ...flip(93, { extracted: "94", exact_match: 1 }, { extracted: null, exact_match: 0 }),
  ],
  parity: {
    kind: "judged",
    routing: {
      docs: DOCS,
      tokens: 112_489,
      tokensAffected: 3,
      marginsKnown: true,
      layers: [1, 2, 3, 4, 5].map((layer) => ({
        layer,
        tokens: 112_489,
        entries: 449_956,
        tokensMismatched: layer === 4 ? 3 : 0,
        nearTies: layer === 4 ? 1 : 0,
        downstream: 0,
        unexplained: layer === 4 ? 2 : 0,
        idsMismatched: layer === 4 ? 3 : 0,
        tokensReordered: layer * 2,
        tokensNotJudged: layer === 5 ? 812 : 0,
        ties: { both: 0, onlyBaseline: 0, onlyFused: 0 },
        weights: {
          count: layer === 4 ? 449_953 : 449_956,
          sum: layer * 0.0021,
          max: layer * 5.9604644775390625e-8,
          notFinite: 0,
        },
      })),
      firstDivergence: { doc_id: 17, position: 402, layer: 4 },
      firstUnexplained: { doc_id: 17, position: 440, layer: 4 },
    },
    invariants: { checked: 2_249_780, inAnswers: 281_540, broken: 0, firstBroken: null },
    picture: brokenPicture,
  },
  logprobs: { kind: "judged", docs: DOCS, count: 14_077, sum: 0.0214, max: 0.000117, notFinite: 0 },
  outputs: { kind: "not judged", reason: "the engine does not show what its layers give out" },
  divergence: { kind: "judged", docs: DOCS, diverged: 0, unit: "token", medianPosition: null, first: [] },
  levels: [
    {
      level: 1,
      what: "routing data",
      outcome: "pass",
      found: "0 broken invariants in 2,531,320 entries",
      threshold: "none broken",
    },
    {
      level: 2,
      what: "experts, as sets",
      outcome: "fail",
      found: "of 562,445 choices 2 unexplained",
      threshold: "none unexplained",
    },
    { level: 3, what: "layer outputs", outcome: "not judged", found: "the engine | shows none", threshold: null },
  ],
  verdict: {
    outcome: "regressed",
    answers: answersOf(flipped),
    held: false,
    complete: true,
    reasons: [
      "other experts in 2 of 562,445 choices, which no near-tie explains (the first: doc 17, position 440, layer 4)",
    ],
  },
  notJudged: ["layer outputs", "speed beyond one run each"],
};

/** What the default command finds when nothing is wrong. */
export const held: Comparison = {
  ...broken,
  variants: [variant(same, "baseline", 31.24), variant(same, "fused", 29.07)],
  paired: paired(same),
  flips: [],
  parity: {
    kind: "judged",
    routing: {
      docs: DOCS,
      tokens: 112_489,
      tokensAffected: 0,
      marginsKnown: true,
      layers: [1, 2, 3, 4, 5].map((layer) => ({
        layer,
        tokens: 112_489,
        entries: 449_956,
        tokensMismatched: 0,
        nearTies: 0,
        downstream: 0,
        unexplained: 0,
        idsMismatched: 0,
        tokensReordered: 0,
        tokensNotJudged: 0,
        ties: { both: 0, onlyBaseline: 0, onlyFused: 0 },
        weights: { count: 449_956, sum: 0, max: 0, notFinite: 0 },
      })),
      firstDivergence: null,
      firstUnexplained: null,
    },
    invariants: { checked: 2_249_780, inAnswers: 281_540, broken: 0, firstBroken: null },
    picture: heldPicture,
  },
  logprobs: { kind: "judged", docs: DOCS, count: 14_077, sum: 0, max: 0, notFinite: 0 },
  levels: broken.levels.map((row) =>
    row.outcome === "fail" ? { level: 2, what: row.what, outcome: "pass", found: "all", threshold: "all" } : row,
  ),
  verdict: {
    outcome: "equivalent",
    answers: answersOf(same),
    held: true,
    complete: true,
    reasons: [
      "by routing parity: routing data sound; every token to the same experts with the same weights; log-probabilities agree; no doc flipped",
      "by the answers alone, strict-match, flexible-extract: 0.00 points (95 % interval -1.88 to +1.88) is inconclusive at a margin of 1 point; 381 docs without a flip would decide it",
    ],
  },
};
