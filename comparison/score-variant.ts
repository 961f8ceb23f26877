/**
 * Teacher forcing of one variant: it is given prompts and completions, and what its routers chose and how likely it finds
 * each token is kept in the run folder. Both variants are given the same, the baseline's completions, so what they make of
 * them can be compared token by token, also where the two engines never run at the same time.
 */
import { existsSync, rmSync } from "node:fs";
import { EngineError } from "../errors.ts";
import type { Journal } from "../reports/journal.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { CaptureStore } from "../runners/capture-store.ts";
import type { CaptureShape, StoredCapture } from "../runners/capture-store.ts";
import { EngineLostError } from "../runners/runner.ts";
import type { Runner } from "../runners/runner.ts";
import type { VariantName } from "../runners/variant-engines.ts";
import type { PromptedDoc } from "../tasks/index.ts";
import type { Progress } from "./progress.ts";
import { scorerOf } from "./score-sequence.ts";
import type { Generation, Scored, Scorer, Sequence } from "./score-sequence.ts";
import { isLogprobsOnly, openScoredJournal } from "./scored-journal.ts";
import type { ScoredJournal, ScoredRow } from "./scored-journal.ts";
import { stated } from "../reports/stated.ts";

/** The first `count` docs that the baseline has answered with something. */
export async function sequencesToScore(
  prompts: Iterable<PromptedDoc>,
  baseline: Journal,
  count: number,
): Promise<Sequence[]> {
  const sequences: Sequence[] = [];
  for (const doc of prompts) {
    if (sequences.length >= count) break;
    const outcome = (await baseline.read(doc.docId))?.outcome;
    if (outcome?.kind !== "completed") continue;
    const { text, token_ids: completion = [] } = outcome;
    if (completion.length > 0) sequences.push({ doc, text, completion });
    else if (text !== "") sequences.push({ doc, text });
  }
  return sequences;
}

export const SCORED_FILE = "scored.jsonl";
export const CAPTURE_FILE = "routing.safetensors";
/** The capture while it is made. */
const PART_FILE = "routing.part";

export interface ScoreVariantOptions {
  readonly variant: VariantName;
  readonly folder: RunFolder;
  readonly sequences: readonly Sequence[];
  /** Whether routing is asked for. */
  readonly routing: boolean;
  readonly generation: Generation;
  /** Sequences at a time, at most. */
  readonly concurrency: number;
  /** Opened only where something is left to do. */
  readonly runner: () => Promise<Runner>;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Sequences scored ahead of the one that is waited for, so that no engine thread idles. */
const WINDOW = 8;

/** What came of it. Docs that failed are scored again by the next session. */
export interface ScoredVariant {
  /** False where the engine cannot score; nothing is left behind then. */
  readonly possible: boolean;
  readonly failures: readonly { readonly doc_id: number; readonly reason: string }[];
}

export async function scoreVariant(options: ScoreVariantOptions): Promise<ScoredVariant> {
  const { variant, folder, sequences } = options;
  const journal = openScoredJournal(folder.file(SCORED_FILE, variant));
  try {
    if (isFinished(journal, options)) {
      rmSync(folder.file(PART_FILE, variant), { force: true });
      return { possible: true, failures: [] };
    }
    const runner = await options.runner();
    const scorer = scorerOf(runner, options.generation);
    if (scorer === undefined) {
      rmSync(folder.file(SCORED_FILE, variant), { force: true });
      return { possible: false, failures: [] };
    }
    const captureFile = folder.file(CAPTURE_FILE, variant);
    // A capture of other docs must not be taken for one of these, should this process be killed between the two.
    rmSync(captureFile, { force: true });
    const store = openStore(folder.file(PART_FILE, variant), journal, options);
    try {
      const failures = await scoreRest(scorer, journal, store, options);
      const shape = shapeOf(journal.rows);
      // A file with holes would look like the capture of fewer docs.
      if (shape !== undefined && isWhole(journal.rows)) {
        const { engine } = folder.record;
        const metadata = { engine: stated(engine, "name"), model: stated(engine, "model"), variant };
        store.writeCaptureFile(captureFile, shape, withBoundaries(journal.rows, sequences), metadata);
      }
      store.remove();
      return { possible: true, failures };
    } catch (error) {
      store.close();
      throw error;
    }
  } finally {
    journal.close();
  }
}

function isFinished({ rows }: ScoredJournal, options: ScoreVariantOptions): boolean {
  const { variant, folder, sequences, routing } = options;
  if (rows.length !== sequences.length || sharedStart(rows, sequences) !== rows.length) return false;
  // What was found with routing says all that is asked for without.
  if (rows.some(isLogprobsOnly) && firstOfOtherKind(rows, routing) < rows.length) return false;
  if (firstBroken(rows) < rows.length) return false;
  return !isWhole(rows) || existsSync(folder.file(CAPTURE_FILE, variant));
}

/** The first row for which routing was not asked for where it is now, or the other way round. */
function firstOfOtherKind(rows: readonly ScoredRow[], routing: boolean): number {
  const other = rows.findIndex((row) => isLogprobsOnly(row) === routing);
  return other < 0 ? rows.length : other;
}

/** The store with what the journal says it holds; rows that it does not hold, or that are of other docs, are forgotten. */
function openStore(path: string, journal: ScoredJournal, { sequences, routing }: ScoreVariantOptions): CaptureStore {
  // A doc that failed in an earlier session and is answered now stands before rows that exist already.
  const kept = Math.min(
    sharedStart(journal.rows, sequences),
    firstOfOtherKind(journal.rows, routing),
    firstBroken(journal.rows),
  );
  const shape = shapeOf(journal.rows);
  journal.keep(CaptureStore.holds(path, shape, storedCaptures(journal.rows.slice(0, kept))) ? kept : 0);
  return CaptureStore.open(path, shape, storedCaptures(journal.rows));
}

async function scoreRest(
  score: Scorer,
  journal: ScoredJournal,
  store: CaptureStore,
  { variant, sequences, routing, concurrency, signal: outer, progress }: ScoreVariantOptions,
): Promise<ScoredVariant["failures"]> {
  const ended = new AbortController();
  const signal = AbortSignal.any([outer, ended.signal]);
  const waiting: { readonly docId: number; readonly scored: Promise<Scored> }[] = [];
  const update = progress.start(`${variant}: ${routing ? "routing" : "log-probabilities"}`);
  const report = (): void => update({ done: journal.rows.length, total: sequences.length, facts: [] });
  const failures: { doc_id: number; reason: string }[] = [];
  const commit = async (): Promise<void> => {
    const first = waiting[0] as (typeof waiting)[number];
    let scored: Scored;
    try {
      scored = await first.scored;
    } catch (error) {
      if (signal.aborted || !(error instanceof EngineError) || error instanceof EngineLostError) throw error;
      failures.push({ doc_id: first.docId, reason: error.message });
      return;
    } finally {
      waiting.shift();
    }
    const { row, capture } = scored;
    if (capture !== undefined) store.append(capture.inputIds, capture.routing);
    journal.append(row);
    report();
  };
  try {
    report();
    for (const sequence of sequences.slice(journal.rows.length)) {
      signal.throwIfAborted();
      const scored = score(sequence, signal);
      // It may fail while an earlier one is still waited for; its turn to be heard comes.
      void scored.catch(() => {});
      waiting.push({ docId: sequence.doc.docId, scored });
      if (waiting.length >= Math.min(WINDOW, concurrency)) await commit();
    }
    while (waiting.length > 0) await commit();
    return failures;
  } catch (error) {
    // What was scored ahead must have ended before the engine is closed.
    ended.abort(error);
    await Promise.allSettled(waiting.map(({ scored }) => scored));
    throw error;
  } finally {
    progress.end();
  }
}

/** How many rows, from the first, are of the docs that are to be scored, in their order. */
function sharedStart(rows: readonly ScoredRow[], sequences: readonly Sequence[]): number {
  const differing = rows.findIndex((row, index) => row.doc_id !== sequences[index]?.doc.docId);
  return differing < 0 ? rows.length : differing;
}

/**
 * The first row whose capture is broken or missing; the number of rows where none is. The user has the server mended and says the same
 * command again, and then these are not taken for results.
 */
function firstBroken(rows: readonly ScoredRow[]): number {
  const broken = rows.findIndex(({ problem }) => problem !== null);
  return broken < 0 ? rows.length : broken;
}

function shapeOf(rows: readonly ScoredRow[]): CaptureShape | undefined {
  return rows.find(({ shape }) => shape !== null)?.shape ?? undefined;
}

function isWhole(rows: readonly ScoredRow[]): boolean {
  return rows.every(({ shape }) => shape !== null);
}

/** With what lets the same tokens be run again. */
function withBoundaries(rows: readonly ScoredRow[], sequences: readonly Sequence[]): StoredCapture[] {
  const completions = new Map(sequences.map(({ doc, completion }) => [doc.docId, completion]));
  return storedCaptures(rows).map((stored) => {
    const completion = completions.get(stored.docId) ?? [];
    const lastToken = completion.at(-1);
    if (lastToken === undefined) return stored;
    return Object.assign(stored, { promptTokens: stored.nTokens - completion.length + 1, lastToken });
  });
}

function storedCaptures(rows: readonly ScoredRow[]): StoredCapture[] {
  const captured = rows.filter(({ shape }) => shape !== null);
  return captured.map(({ doc_id: docId, tokens: nTokens, close_rows: closeRows = 0 }) => ({
    docId,
    nTokens,
    closeRows,
  }));
}
