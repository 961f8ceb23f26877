/** Captures one variant's routing of some prompts into a capture file. */
import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineError, UserError } from "../errors.ts";
import type { Captured, CapturedDocCount } from "../reports/captured.ts";
import type { JsonObject } from "../reports/json.ts";
import { temporaryName } from "../reports/files.ts";
import { CaptureStore } from "../runners/capture-store.ts";
import type { CaptureShape, StoredCapture } from "../runners/capture-store.ts";
import { openSafetensorsCapture } from "../runners/captures/safetensors-capture.ts";
import { scanWholeCapture } from "../runners/captures/scan-whole.ts";
import type { CapturedSequence } from "../runners/routed-experts/index.ts";
import type { InvariantCount, Runner } from "../runners/runner.ts";
import type { VariantEngines, VariantName } from "../runners/variant-engines.ts";
import { VERSION } from "../version.ts";
import type { SequencesToCapture, SequenceToCapture } from "./capture-sequences.ts";
import type { Progress } from "./progress.ts";
import { stated } from "../reports/stated.ts";
import { violationText } from "./violation-text.ts";

export interface CaptureRoutingOptions {
  readonly engines: VariantEngines;
  /** Which of the engine's configurations is asked. */
  readonly open: VariantName;
  /** What it is called in the file. */
  readonly variant: VariantName;
  readonly what: SequencesToCapture;
  /** Sequences at a time. */
  readonly concurrency: number;
  readonly output: string;
  /** Take the place of a file that is there. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/**
 * The file is written only when all of it was captured and is sound; until then what was there is untouched.
 *
 * @throws UserError where the engine captures nothing, or the file is there already; EngineError where a prompt got no
 * answer or a capture is broken
 */
export async function captureRouting(options: CaptureRoutingOptions): Promise<Captured> {
  const { engines, open, variant, output, force, signal, progress } = options;
  if (!force && existsSync(output))
    throw new UserError(`${output} exists; choose another --output, or say --force to have it replaced`);
  if (statSync(output, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new UserError(`${output} is a folder; --output takes a file`);
  const began = performance.now();
  // A server's log is kept where it is of use: when the server failed.
  const folder = await mkdtemp(join(tmpdir(), "fusecheck-capture-"));
  const part = temporaryName(output);
  const whole = temporaryName(output);
  try {
    const identity = await engines.identity(signal);
    const opened = await engines.open(open, {
      purpose: "captures",
      signal,
      folder,
      note: (text) => progress.note(`${variant}: ${text}`),
    });
    const capture = opened.runner.capture?.bind(opened.runner);
    if (capture === undefined)
      throw new UserError(
        "nothing says that this engine gives routed experts: --capture takes the model's config.json, and the server " +
          "has to be started with captures on (see docs/captures.md)",
      );
    const model = stated(opened.facts as JsonObject, "model");
    const engine = { ...identity, ...(model !== "unknown" && { model }) } as JsonObject;
    const store = CaptureStore.open(part, undefined, []);
    let made: Made;
    try {
      made = await captureAll(capture, store, options);
      await engines.close();
      const { origin, kind } = options.what;
      store.writeCaptureFile(whole, made.shape, made.stored, {
        engine: stated(engine, "name"),
        model: stated(engine, "model"),
        variant,
        completions: kind,
        fusecheck: VERSION,
        ...origin,
      });
    } finally {
      store.remove();
    }
    await refuseBroken(whole);
    signal.throwIfAborted();
    const bytes = statSync(whole).size;
    renameSync(whole, output);
    const seconds = Math.round(performance.now() - began) / 1000;
    await rm(folder, { recursive: true, force: true });
    return { ...summary(options, made), engine, bytes, seconds };
  } finally {
    rmSync(whole, { force: true });
    await engines.close();
    // Where there is no log in it.
    await rmdir(folder).catch(() => {});
  }
}

interface Made {
  readonly shape: CaptureShape;
  readonly stored: readonly StoredCapture[];
  readonly docs: readonly CapturedDocCount[];
  readonly invariants: Captured["invariants"];
}

async function captureAll(
  capture: NonNullable<Runner["capture"]>,
  store: CaptureStore,
  { what, concurrency, variant, signal: outer, progress }: CaptureRoutingOptions,
): Promise<Made> {
  const ended = new AbortController();
  const signal = AbortSignal.any([outer, ended.signal]);
  const waiting: { readonly of: SequenceToCapture; readonly captured: Promise<CapturedSequence> }[] = [];
  const stored: StoredCapture[] = [];
  const docs: CapturedDocCount[] = [];
  let shape: CaptureShape | undefined;
  let invariants: Captured["invariants"] = null;
  const update = progress.start(`${variant}: capture`);
  const take = async (): Promise<void> => {
    const { of, captured } = waiting[0] as (typeof waiting)[number];
    const { routing, tokens, invariants: counted } = await captured.finally(() => waiting.shift());
    const { docId } = of;
    const fail = (reason: string): EngineError => new EngineError(`doc ${docId}: ${reason}; nothing was written`);
    if (routing.kind === "absent") throw new UserError(`doc ${docId}: ${routing.reason}; nothing was written`);
    if (routing.kind === "broken") throw fail(routing.reason);
    if (tokens.kind === "unknown") throw fail(tokens.reason);
    const own = CaptureStore.shapeOf(routing.routing);
    shape ??= own;
    if (JSON.stringify(shape) !== JSON.stringify(own)) throw fail("it has other layers or experts than those before");
    const { prompt, completion } = tokens;
    store.append([...prompt, ...completion].slice(0, -1), routing.routing);
    stored.push({
      docId,
      nTokens: routing.routing.nTokens,
      promptTokens: prompt.length,
      lastToken: completion.at(-1) as number,
      closeRows: routing.routing.close?.rows.length ?? 0,
    });
    docs.push({ doc_id: docId, promptTokens: prompt.length, completionTokens: completion.length });
    if (counted !== undefined) invariants = addInvariants(invariants, docId, counted);
    update({ done: stored.length, total: what.sequences.length, facts: [] });
  };
  try {
    update({ done: 0, total: what.sequences.length, facts: [] });
    for (const of of what.sequences) {
      signal.throwIfAborted();
      const captured = capture(of.prompt, of.request, signal);
      // It may fail while an earlier one is still waited for; its turn to be heard comes.
      void captured.catch(() => {});
      waiting.push({ of, captured });
      if (waiting.length >= concurrency) await take();
    }
    while (waiting.length > 0) await take();
  } catch (error) {
    ended.abort(error);
    await Promise.allSettled(waiting.map(({ captured }) => captured));
    throw error;
  } finally {
    progress.end();
  }
  if (shape === undefined) throw new UserError("there is nothing to capture");
  return { shape, stored, docs, invariants };
}

function addInvariants(
  before: Captured["invariants"],
  docId: number,
  { checked, broken, violations: [first] }: InvariantCount,
): NonNullable<Captured["invariants"]> {
  const own = first === undefined ? null : `doc ${docId}, ${violationText(first)}`;
  return {
    checked: (before?.checked ?? 0) + checked,
    broken: (before?.broken ?? 0) + broken,
    firstBroken: before?.firstBroken ?? own,
  };
}

/** What each answer was checked for, and what only all of them together show. */
async function refuseBroken(path: string): Promise<void> {
  const source = openSafetensorsCapture(path);
  try {
    const broken = await scanWholeCapture(source);
    if (broken !== undefined) throw new EngineError(`${broken.reason}; nothing was written`);
  } finally {
    source.close();
  }
}

function summary(
  { output, variant, what }: CaptureRoutingOptions,
  { shape, stored, docs, invariants }: Made,
): Omit<Captured, "engine" | "bytes" | "seconds"> {
  const { layers, nExpertsAct, nExpertsTot, weights, margins } = shape;
  return {
    schema: 1,
    path: output,
    variant,
    kind: what.kind,
    docs,
    tokens: stored.reduce((sum, { nTokens }) => sum + nTokens, 0),
    layers,
    nExpertsAct,
    nExpertsTot,
    weights,
    margins,
    invariants,
    notes: what.notes,
  };
}
