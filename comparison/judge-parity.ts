/**
 * Routing parity: both variants are given the same tokens, the prompt and the baseline's completion, and what their
 * routers chose is compared token by token and layer by layer, while the routing data is checked against its invariants.
 */
import { existsSync, rmSync } from "node:fs";
import { compareLogprobs, mergeLogprobs, NO_LOGPROBS } from "../metrics/logprob-difference.ts";
import { compareRouting, mergeRouting, NO_ROUTING } from "../metrics/routing-parity.ts";
import type { RoutingCapture as ComparedCapture } from "../metrics/routing-parity.ts";
import type { InvariantCounts, JudgedLogprobs, JudgedParity, NotJudged } from "../reports/comparison.ts";
import type { Completed } from "../reports/journal-row.ts";
import type { Journal } from "../reports/journal.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { CaptureStore } from "../runners/capture-store.ts";
import type { StoredCapture } from "../runners/capture-store.ts";
import type { Runner, ScoredSequence } from "../runners/runner.ts";
import type { PromptedDoc } from "../tasks/index.ts";
import { openParityJournal } from "./parity-journal.ts";
import type { ParityJournal, ParityRow } from "./parity-journal.ts";
import type { Progress } from "./progress.ts";
import type { ResolvedSettings, VariantName } from "./settings.ts";
import { stated } from "./stated.ts";

export interface JudgeParityOptions {
  readonly folder: RunFolder;
  readonly settings: ResolvedSettings;
  readonly prompts: () => Iterable<PromptedDoc>;
  readonly journals: Readonly<Record<VariantName, Journal>>;
  readonly runner: (variant: VariantName) => Promise<Runner>;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface ParityResult {
  readonly parity: JudgedParity | NotJudged;
  readonly logprobs: JudgedLogprobs | NotJudged;
}

const VARIANTS = ["baseline", "fused"] as const;

/** Docs scored ahead of the one that is waited for, so that no engine thread idles. */
const WINDOW = 4;

export async function judgeParity(options: JudgeParityOptions): Promise<ParityResult> {
  const { folder } = options;
  const journal = openParityJournal(folder.file("parity.jsonl"));
  try {
    const sequences = await sequencesToScore(options);
    if (sequences.length === 0) return notJudged("no doc was completed by both variants");
    await scoreAll(sequences, journal, options);
    return summarise(journal.rows);
  } finally {
    journal.close();
  }
}

function notJudged(reason: string): ParityResult {
  return { parity: { kind: "not judged", reason }, logprobs: { kind: "not judged", reason } };
}

interface Sequence {
  readonly doc: PromptedDoc;
  readonly completion: readonly number[];
}

/** The first docs that both variants completed. */
async function sequencesToScore({ prompts, journals, settings }: JudgeParityOptions): Promise<Sequence[]> {
  const sequences: Sequence[] = [];
  for (const doc of prompts()) {
    if (sequences.length >= settings.parityDocs) break;
    const outcomes = await Promise.all(
      VARIANTS.map(async (variant) => (await journals[variant].read(doc.docId))?.outcome),
    );
    if (!outcomes.every((outcome): outcome is Completed => outcome?.kind === "completed")) continue;
    const completion = outcomes[0]?.token_ids;
    if (completion !== undefined && completion.length > 0) sequences.push({ doc, completion });
  }
  return sequences;
}

async function scoreAll(
  sequences: readonly Sequence[],
  journal: ParityJournal,
  options: JudgeParityOptions,
): Promise<void> {
  const { folder, progress } = options;
  const captureFiles = VARIANTS.map((variant) => folder.file("routing.safetensors", variant));
  const parts = VARIANTS.map((variant) => folder.file("routing.part", variant));
  // A doc that failed in an earlier session and is answered now stands before rows that exist already.
  const kept = sharedStart(journal.rows, sequences);
  if (kept === sequences.length && kept === journal.rows.length && captureFiles.every((file) => existsSync(file))) {
    for (const part of parts) rmSync(part, { force: true });
    return;
  }
  // A capture of other docs must not be taken for one of these, should this process be killed between the two.
  for (const file of captureFiles) rmSync(file, { force: true });
  const shape = journal.rows[0]?.shape;
  const stored = storedCaptures(journal.rows.slice(0, kept));
  journal.keep(parts.every((part) => CaptureStore.holds(part, shape, stored)) ? kept : 0);
  const stores = parts.map((part) => CaptureStore.open(part, shape, storedCaptures(journal.rows)));
  const ended = new AbortController();
  const signal = AbortSignal.any([options.signal, ended.signal]);
  const waiting: Promise<[Sequence, ScoredSequence, ScoredSequence]>[] = [];
  try {
    const runners = await Promise.all(VARIANTS.map((variant) => options.runner(variant)));
    const update = progress.start("routing parity");
    const report = (): void => update({ done: journal.rows.length, total: sequences.length, facts: [] });
    report();
    const commit = async (): Promise<void> => {
      const [{ doc }, baseline, fused] = await (waiting[0] as (typeof waiting)[number]);
      void waiting.shift();
      stores[0]?.append(baseline.inputIds, baseline.routing);
      stores[1]?.append(fused.inputIds, fused.routing);
      journal.append(compare(doc.docId, baseline, fused));
      report();
    };
    for (const sequence of sequences.slice(journal.rows.length)) {
      signal.throwIfAborted();
      const scored = scoreBoth(runners, sequence, signal);
      // It may fail while an earlier one is still waited for; its turn to be heard comes.
      void scored.catch(() => {});
      waiting.push(scored);
      if (waiting.length >= WINDOW) await commit();
    }
    while (waiting.length > 0) await commit();
    const first = journal.rows[0] as ParityRow;
    const docs = storedCaptures(journal.rows);
    for (const [index, variant] of VARIANTS.entries()) {
      const metadata = {
        engine: stated(folder.record.engine, "name"),
        model: stated(folder.record.engine, "model"),
        variant,
      };
      stores[index]?.writeCaptureFile(captureFiles[index] as string, first.shape, docs, metadata);
    }
    for (const store of stores) store.remove();
  } catch (error) {
    // What was scored ahead must have ended before the engine is closed, and its rejection must find someone.
    ended.abort(error);
    await Promise.allSettled(waiting);
    for (const store of stores) store.close();
    throw error;
  } finally {
    progress.end();
  }
}

/** How many rows, from the first, are of the docs that are to be scored, in their order. */
function sharedStart(rows: readonly ParityRow[], sequences: readonly Sequence[]): number {
  const differing = rows.findIndex((row, index) => row.doc_id !== sequences[index]?.doc.docId);
  return differing < 0 ? rows.length : differing;
}

function storedCaptures(rows: readonly ParityRow[]): StoredCapture[] {
  return rows.map(({ doc_id: docId, tokens: nTokens }) => ({ docId, nTokens }));
}

async function scoreBoth(
  runners: readonly Runner[],
  sequence: Sequence,
  signal: AbortSignal,
): Promise<[Sequence, ScoredSequence, ScoredSequence]> {
  const [baseline, fused] = await Promise.all(
    runners.map((runner) => {
      if (runner.score === undefined) throw new Error("this engine cannot score a given sequence");
      return runner.score(sequence.doc.prompt, sequence.completion, signal);
    }),
  );
  return [sequence, baseline as ScoredSequence, fused as ScoredSequence];
}

function compare(docId: number, baseline: ScoredSequence, fused: ScoredSequence): ParityRow {
  const { layers, nTokens, nExpertsAct, nExpertsTot } = baseline.routing;
  const chosen = ({ routing }: ScoredSequence): ComparedCapture => ({
    ids: routing.topkIds,
    weights: routing.topkWeights,
    margins: routing.margins,
  });
  return {
    doc_id: docId,
    tokens: nTokens,
    shape: { layers, nExpertsAct, nExpertsTot },
    routing: compareRouting({
      docId,
      layers,
      nTokens,
      k: nExpertsAct,
      baseline: chosen(baseline),
      fused: chosen(fused),
    }),
    logprobs: compareLogprobs(docId, baseline.logprobs, fused.logprobs),
    invariants: { baseline: baseline.invariants, fused: fused.invariants },
  };
}

function summarise(rows: readonly ParityRow[]): ParityResult {
  return {
    parity: {
      kind: "judged",
      routing: rows.reduce((total, row) => mergeRouting(total, row.routing), NO_ROUTING),
      invariants: countInvariants(rows),
    },
    logprobs: { kind: "judged", ...rows.reduce((total, row) => mergeLogprobs(total, row.logprobs), NO_LOGPROBS) },
  };
}

function countInvariants(rows: readonly ParityRow[]): InvariantCounts {
  const counts = { checked: 0, broken: 0, firstBroken: null as string | null };
  for (const { doc_id: docId, invariants } of rows) {
    for (const variant of VARIANTS) {
      const { checked, broken, violations } = invariants[variant];
      counts.checked += checked;
      counts.broken += broken;
      const [first] = violations;
      if (first !== undefined) {
        counts.firstBroken ??= `${variant}, doc ${docId}, layer ${first.layer}: ${first.invariant}, expected ${first.expected}, found ${first.found}`;
      }
    }
  }
  return counts;
}
