/** What a run found: written as `comparison.json` (by `jsonFileText`), rendered as `report.md` and on the terminal. Plain JSON throughout. */
import type { Decision } from "../metrics/decide.ts";
import type { Interval } from "../metrics/interval.ts";
import type { LogprobDifference } from "../metrics/logprob-difference.ts";
import type { OutputDifference } from "../metrics/output-difference.ts";
import type { PairedDifference } from "../metrics/paired.ts";
import type { DocsPlan } from "../metrics/plan-docs.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
import type { TextDivergence } from "../metrics/text-divergence.ts";
import type { JsonObject } from "./json.ts";
import type { ReportedPicture } from "./reported-picture.ts";
import type { LmEvalTableInput } from "./table.ts";

/** What became of the docs that were asked for; the four outcomes add up to `total`. */
export interface OutcomeCounts {
  readonly total: number;
  /** Completed, and an answer was found by at least one filter. */
  readonly scored: number;
  /** Completed, but no filter found an answer: scores 0, and is in the denominator. */
  readonly unanswered: number;
  /** The engine failed: in no denominator. */
  readonly failed: number;
  /** Not asked: in no denominator. */
  readonly skipped: number;
}

/** Wilson's 95 % interval of the exact match under one filter; `n` is above 0. */
export interface FilterInterval extends Interval {
  readonly filter: string;
  readonly correct: number;
  readonly n: number;
}

/** One variant's results. */
export interface VariantSummary {
  readonly name: string;
  readonly table: LmEvalTableInput;
  /** Missing in files of older versions. Empty where no doc was answered. */
  readonly intervals?: readonly FilterInterval[];
  readonly counts: OutcomeCounts;
  /** Completions cut at `max_tokens`. */
  readonly truncated: number;
  /** Answers that came with reasoning, which is kept apart and not marked. Missing where none did. */
  readonly reasoned?: number;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Wall clock of this variant, over all sessions of a resumed run. */
  readonly seconds: number;
  /** What the variant was found to be: addresses, versions, what its server says of itself. Empty where nothing is known. */
  readonly engine: JsonObject;
  /** Docs that failed, with the reason; as many as the writer wants to keep, lowest doc id first. */
  readonly failures: readonly { readonly doc_id: number; readonly reason: string }[];
}

/** The paired difference under one answer filter, over the docs that both variants completed. */
export interface PairedByFilter extends PairedDifference {
  readonly filter: string;
}

/** What a filter found in a completion, and whether it equals the target. */
export interface MarkedAnswer {
  readonly extracted: string | null;
  readonly exact_match: 0 | 1;
}

/** A doc that one variant answered right and the other wrong. */
export interface FlippedDoc {
  readonly doc_id: number;
  readonly filter: string;
  readonly baseline: MarkedAnswer;
  readonly fused: MarkedAnswer;
}

/** Something that was not judged, and why. */
export interface NotJudged {
  readonly kind: "not judged";
  readonly reason: string;
  /** The engine gave something to judge by, and that is broken. Default: false. */
  readonly broken?: boolean;
  /** It was asked for, and the engine gave nothing. Default: false. */
  readonly lacking?: boolean;
}

/** Invariants of the routing data that the MoE kernels consumed (histogram, gather, scatter, tiles). */
export interface InvariantCounts {
  /** Entries (a token's expert) checked in the scored sequences. */
  readonly checked: number;
  /** Entries checked while docs were answered: every decode step of every answer. */
  readonly inAnswers: number;
  readonly broken: number;
  /** The first one that broke, in words. */
  readonly firstBroken: string | null;
}

/** Routing parity, judged on identical token sequences. */
export interface JudgedParity {
  readonly kind: "judged";
  readonly routing: RoutingParity;
  readonly invariants: InvariantCounts;
  /** Margins, load and the worst tokens. Missing in files of older versions. */
  readonly picture?: ReportedPicture;
}

/** Log-probabilities of the same tokens under both variants. */
export interface JudgedLogprobs extends LogprobDifference {
  readonly kind: "judged";
  /**
   * Both were given the same tokens, or the same text; or each generated, and they are compared up to the first token in
   * which they differ. Missing in files of older versions: given tokens.
   */
  readonly way?: "given tokens" | "given text" | "generated";
  /** Where both generated. */
  readonly parted?: PartedTexts;
  /** Docs that could not be compared, with the first reason. */
  readonly lacking?: { readonly docs: number; readonly reason: string };
}

/** Docs of which the two variants generate different completions, asked for the same anew. */
export interface PartedTexts {
  readonly docs: number;
  /** `token` counts from the completion's first, 0. */
  readonly first: { readonly doc_id: number; readonly token: number } | null;
}

/** What the MoE layers gave out and what was to be said next, on the same tokens of a few docs. */
export interface JudgedOutputs {
  readonly kind: "judged";
  readonly docs: readonly number[];
  /** Tokens that were run, and of these such as are downstream of other experts, which are not compared. */
  readonly tokens: number;
  readonly tokensNotJudged: number;
  readonly layers: readonly OutputDifference[];
  /** KL divergence, baseline to fused, in nats, at each completion token that is compared: over the whole vocabulary. */
  readonly kl: { readonly count: number; readonly sum: number; readonly max: number; readonly notFinite: number };
}

/** Where the two variants' answers first differ, doc by doc. */
export interface JudgedDivergence extends TextDivergence {
  readonly kind: "judged";
}

/** What two runs of the baseline differ by, judged as fused and the baseline are. */
export interface NoiseFloor {
  readonly paired: readonly PairedByFilter[];
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
  readonly divergence: JudgedDivergence | NotJudged;
}

/** One thing that was judged on one of the four levels, in words. */
export interface LevelRow {
  readonly level: 1 | 2 | 3 | 4;
  readonly what: string;
  readonly outcome: "pass" | "fail" | "not judged";
  /** What was found, or why it was not judged. */
  readonly found: string;
  /** What it was held to; null where nothing was. */
  readonly threshold: string | null;
  /** What two runs of the baseline were found to do, where that was measured. */
  readonly floor?: string;
}

/** What the answers under one filter decide by themselves. */
export interface FilterDecision {
  readonly filter: string;
  readonly decision: Decision;
  /** What it was decided by; missing where there are no docs. */
  readonly interval?: Interval;
  /** Where it is inconclusive: how many docs would probably decide it, at the discordance seen. */
  readonly plan?: DocsPlan;
}

/** How the answers were judged (docs/statistics.md). */
export interface AnswersVerdict {
  /** Largest difference that does not matter, as a share: 0.01 is one point. */
  readonly margin: number;
  /** Of one side of the interval. */
  readonly level: number;
  /** `sequential`: the interval holds at every look, so that the run may have been stopped at one. */
  readonly method: "fixed" | "sequential";
  readonly filters: readonly FilterDecision[];
}

/** Did all that was asked for hold? `reasons` says in words what was broken, what held, what is missing. */
export interface Verdict {
  /** Answers and routing together. Missing where there is one variant, and in files of older versions. */
  readonly outcome?: Decision;
  /** What the answers say by themselves. Missing where `outcome` is. */
  readonly answers?: AnswersVerdict;
  /** Nothing that was compared is shown to be worse. False where nothing could be compared. */
  readonly held: boolean;
  /** Every doc was answered. Else `held` speaks of the others. */
  readonly complete: boolean;
  readonly reasons: readonly string[];
}

/** The whole result of a run with one variant or two. */
export interface Comparison {
  readonly schema: 1;
  /** fusecheck's version. */
  readonly fusecheck: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  readonly task: {
    readonly name: string;
    readonly version: number;
    /** Docs in the whole test split. */
    readonly docs: number;
    /** Where the data came from, in words. */
    readonly provenance: string;
  };
  readonly engine: JsonObject;
  readonly environment: JsonObject;
  /** Resolved settings that decide the result. */
  readonly settings: JsonObject;
  /** The command line that runs it again. */
  readonly command: string;
  /** What differs beyond what is compared, where the user allowed it, in words. Missing in files of older versions. */
  readonly differences?: readonly string[];
  /** `baseline` first. */
  readonly variants: readonly VariantSummary[];
  /** Empty when there is one variant. */
  readonly paired: readonly PairedByFilter[];
  readonly flips: readonly FlippedDoc[];
  /** Docs that only this variant answered, which are in no pair. Missing where there is one variant. */
  readonly unpaired?: { readonly baseline: number; readonly fused: number };
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
  readonly outputs: JudgedOutputs | NotJudged;
  readonly divergence: JudgedDivergence | NotJudged;
  /** `baseline-repeat` against `baseline`, where it was asked for. */
  readonly noiseFloor?: NoiseFloor;
  /** All of it, level by level. Empty when there is one variant. */
  readonly levels: readonly LevelRow[];
  readonly verdict: Verdict;
  /** What this run says nothing about, in words. */
  readonly notJudged: readonly string[];
}
