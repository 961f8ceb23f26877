/** What a run found: written as `comparison.json` (by `jsonFileText`), rendered as `report.md` and on the terminal. Plain JSON throughout. */
import type { LogprobDifference } from "../metrics/logprob-difference.ts";
import type { PairedDifference } from "../metrics/paired.ts";
import type { RoutingParity } from "../metrics/routing-parity.ts";
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

/** One variant's results. */
export interface VariantSummary {
  readonly name: string;
  readonly table: LmEvalTableInput;
  readonly counts: OutcomeCounts;
  /** Completions cut at `max_tokens`. */
  readonly truncated: number;
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

/** One of the levels that a fused engine is judged on; the first that fails says most about where the fault is. */
export interface JudgedLevel {
  readonly level: 1 | 2 | 3 | 4;
  readonly name: "routing data" | "selection" | "what follows" | "answers";
  readonly result: "pass" | "fail" | "not judged";
  /** The number that decides it, or why it was not judged, in words. */
  readonly decidedBy: string;
}

/** Log-probabilities of the same tokens under both variants. */
export interface JudgedLogprobs extends LogprobDifference {
  readonly kind: "judged";
}

/** Did all that was asked for hold? `reasons` says in words what was broken, what held, what is missing. */
export interface Verdict {
  /** Nothing that was compared differs by more than rounding and chance. False where nothing could be compared. */
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
  /** `baseline` first. */
  readonly variants: readonly VariantSummary[];
  /** Empty when there is one variant. */
  readonly paired: readonly PairedByFilter[];
  readonly flips: readonly FlippedDoc[];
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
  readonly verdict: Verdict;
  /** All four, where there are two variants. Missing in files of older versions. */
  readonly levels?: readonly JudgedLevel[];
  /** What this run says nothing about, in words. */
  readonly notJudged: readonly string[];
}
