/** A run from beginning to end: asks the variants, marks, compares, writes the run folder. */
import { setMaxListeners } from "node:events";
import { UserError } from "../errors.ts";
import { VERSION } from "../version.ts";
import { throughputNote } from "./not-judged.ts";
import type { Comparison } from "../reports/comparison.ts";
import { describeEnvironment } from "../reports/environment.ts";
import type { Journal } from "../reports/journal.ts";
import type { JsonObject } from "../reports/json.ts";
import { counted } from "../reports/number-text.ts";
import { openRunFolder, readRunRecord } from "../reports/run-folder.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { engineVersions } from "../runners/embedded.ts";
import type { Runner } from "../runners/runner.ts";
import { changedSince, incomparable } from "../runners/variant-engines.ts";
import type { EngineIdentity, OpenPurpose, VariantEngines, VariantName } from "../runners/variant-engines.ts";
import { buildPrompts } from "../tasks/index.ts";
import type { PromptedDoc, Task, TaskData } from "../tasks/index.ts";
import { askVariant } from "./ask-variant.ts";
import type { VariantProgress } from "./ask-variant.ts";
import { answersRouting, judgeParity, notJudged } from "./judge-parity.ts";
import type { AnswersRouting, ParityResult } from "./judge-parity.ts";
import { OutputComparison } from "./compare-outputs.ts";
import { divergingTexts } from "./diverging-texts.ts";
import { levelsOf, outputFaults } from "./levels.ts";
import { markVariant } from "./mark-variant.ts";
import type { MarkedVariant } from "./mark-variant.ts";
import { pairDocs } from "./pair-docs.ts";
import { progressTogether } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { scoreVariant, sequencesToScore } from "./score-variant.ts";
import type { Sequence } from "./score-sequence.ts";
import type { ScoredVariant } from "./score-variant.ts";
import { decisiveSettings, resolveSettings } from "./settings.ts";
import type { EvaluateSettings, ResolvedSettings } from "./settings.ts";
import { askUntilDecided } from "./until-decided.ts";
import { judge } from "./verdict.ts";
import { worstInContext } from "./worst-in-context.ts";
import { writeReports } from "./write-reports.ts";

export interface EvaluateOptions {
  readonly task: Task;
  readonly data: TaskData;
  readonly settings: EvaluateSettings;
  /** Makes the engines to ask, of what the settings resolve to. */
  readonly engines: (settings: ResolvedSettings) => VariantEngines;
  /** The run folder; one that holds the same run is resumed. */
  readonly output: string;
  /** Flags as given, for the record. */
  readonly asked: JsonObject;
  /** The command line that would run it again. */
  readonly command: string;
  /** Ends the run at the next doc; what is done stays done. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

export interface Evaluation {
  readonly comparison: Comparison;
  readonly folder: string;
  readonly resumed: boolean;
}

/** The run was ended by its signal; the folder can be resumed. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** A run with one of its docs failed is written out all the same; `counts.failed` says so. */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  const { task, data, output, signal } = options;
  // Every doc in flight listens to it, which is many but bounded: no sign of a leak.
  setMaxListeners(0, signal);
  const settings = resolveSettings(task, data, options.settings);
  const engines = options.engines(settings);
  try {
    // What is wrong with a new run's prompts or engine is said before there is a folder.
    promptsOf(options, settings);
    if (settings.untilDecided && engines.inTurn === true) throw oneAfterTheOther();
    const engine = await engines.identity(signal);
    if ((await readRunRecord(output)) === undefined) await engines.check?.(signal);
    return await evaluateIn(await openFolder(options, settings, engine), engines, settings, options);
  } finally {
    await engines.close();
  }
}

function oneAfterTheOther(): UserError {
  return new UserError(
    "--until-decided asks both variants batch by batch, and these servers run one after the other: add --parallel-variants, or leave it out",
  );
}

async function openFolder(
  { task, data, output, asked }: EvaluateOptions,
  settings: ResolvedSettings,
  engine: EngineIdentity,
): Promise<RunFolder> {
  const { provenance } = data;
  return openRunFolder({
    path: output,
    fusecheck: VERSION,
    asked,
    settings: decisiveSettings(task, provenance.files, settings, engine),
    task: { name: task.name, version: task.version, provenance: JSON.parse(JSON.stringify(provenance)) },
    engine: engine as JsonObject,
    environment: await describeEnvironment(engineVersions()),
  });
}

async function evaluateIn(
  folder: RunFolder,
  engines: VariantEngines,
  settings: ResolvedSettings,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { output, signal } = options;
  try {
    const comparison = await new Run(options, settings, folder, engines).finish();
    return { comparison, folder: output, resumed: folder.resumed };
  } catch (error) {
    // Should the folder itself be what failed, the first error is the one to be seen.
    await folder.setStatus("interrupted").catch(() => {});
    if (!signal.aborted) throw error;
    throw new InterruptedError(`interrupted; ${output} holds what is done`, { cause: error });
  } finally {
    await folder.close();
  }
}

function promptsOf({ task, data }: EvaluateOptions, settings: ResolvedSettings): Iterable<PromptedDoc> {
  const { numFewshot, seed, docs, chat } = settings;
  return buildPrompts(task, data, { numFewshot, seed, limit: docs, chat });
}

/** The parts that a run's stretches share. */
class Run {
  readonly #options: EvaluateOptions;
  readonly #settings: ResolvedSettings;
  readonly #folder: RunFolder;
  readonly #engines: VariantEngines;
  /** Docs that were answered before this session. */
  readonly #completed = new Map<VariantName, number>();
  /** Seconds of this session. */
  readonly #worked = new Map<VariantName, number>();

  constructor(options: EvaluateOptions, settings: ResolvedSettings, folder: RunFolder, engines: VariantEngines) {
    this.#options = options;
    this.#settings = settings;
    this.#folder = folder;
    this.#engines = engines;
  }

  async finish(): Promise<Comparison> {
    const journals = new Map<VariantName, Journal>();
    try {
      const { variants } = this.#settings;
      for (const variant of variants) journals.set(variant, await this.#folder.openJournal(variant));
      const ask = (variant: VariantName, progress: Progress): Promise<void> =>
        this.#ask(variant, journals.get(variant) as Journal, progress);
      let decided = false;
      if (this.#settings.untilDecided) decided = await this.#askUntilDecided(journals);
      else if (this.#engines.parallel) {
        const together = progressTogether(this.#options.progress);
        await allEnded(variants.map((variant) => ask(variant, together(variant))));
      }
      const unscored: string[] = [];
      let scored = true;
      let outputs: OutputComparison | undefined;
      for (const variant of variants) {
        if (!this.#engines.parallel && !this.#settings.untilDecided) await ask(variant, this.#options.progress);
        if (scored) {
          const { possible, failures } = await this.#score(variant, journals);
          scored = possible;
          unscored.push(...unscoredText(variant, failures));
        }
        if (this.#engines.outputs === true && variants.length > 1) {
          outputs ??= new OutputComparison(this.#folder, await this.#sequences(journals));
          if (!outputs.isFinished) await outputs.take(await this.#open(variant, "answers"), this.#options.signal);
        }
        await this.#engines.release(variant);
      }
      const unseen = new OutputComparison(this.#folder, []);
      const answers = await this.#answersRouting(journals);
      const parity = await this.#parity(scored, answers, journals);
      const floor = journals.has("baseline-repeat") ? this.#judgePair(scored, answers, "baseline-repeat") : undefined;
      const found = { ...parity, outputs: (outputs ?? unseen).result(), floor };
      return await this.#conclude(journals, found, { unscored, decided });
    } finally {
      for (const journal of journals.values()) await journal.close();
    }
  }

  /** Both variants are asked each batch before it is looked at, side by side where they have a machine each. */
  async #askUntilDecided(journals: ReadonlyMap<VariantName, Journal>): Promise<boolean> {
    const { task, data, progress } = this.#options;
    const { variants, seed, margin } = this.#settings;
    const together = progressTogether(progress);
    // Keeps the display from ending with each batch.
    const whole = together("");
    whole.start("");
    const ask = async (docs: readonly PromptedDoc[]): Promise<void> => {
      const of = (variant: VariantName): Promise<void> =>
        this.#ask(variant, journals.get(variant) as Journal, together(variant), docs);
      if (this.#engines.parallel) await allEnded(variants.map(of));
      else for (const variant of variants) await of(variant);
    };
    try {
      const shuffle = data.provenance.source !== "generated";
      return await askUntilDecided({ task, prompts: this.#prompts(), shuffle, seed, margin, journals, ask });
    } finally {
      whole.end();
    }
  }

  #prompts = (): Iterable<PromptedDoc> => promptsOf(this.#options, this.#settings);

  async #open(variant: VariantName, purpose: OpenPurpose): Promise<Runner> {
    const { signal, progress } = this.#options;
    const { runner, facts, forCaptures } = await this.#engines.open(variant, {
      purpose,
      signal,
      folder: this.#folder.file("", variant),
      note: (text) => progress.note(`${variant}: ${text}`),
    });
    const before = this.#folder.record.variants[variant]?.engine;
    const [change] = before === undefined ? [] : this.#engines.changes(before, facts);
    if (change !== undefined && !this.#settings.allowDifferences) throw changedSince(variant, change);
    const answered = change === undefined ? undefined : (this.#completed.get(variant) ?? 0);
    // What answered stays on record; of what was started for captures alone, only how.
    const known = forCaptures === true ? { ...(before ?? facts), captured_by: facts["argv"] } : facts;
    await this.#folder.recordEngine(variant, known as JsonObject, answered);
    const { baseline, fused } = this.#folder.record.variants;
    if (baseline?.engine !== undefined && fused?.engine !== undefined && !this.#settings.allowDifferences) {
      const [difference] = this.#engines.differences(baseline.engine, fused.engine);
      if (difference !== undefined) throw incomparable(difference);
    }
    return runner;
  }

  /** @param only - these docs; else all */
  async #ask(variant: VariantName, journal: Journal, progress: Progress, only?: readonly PromptedDoc[]): Promise<void> {
    const { task, signal } = this.#options;
    const settings = this.#settings;
    let completed = 0;
    for (let docId = 0; docId < settings.docs; docId++) if (journal.isCompleted(docId)) completed += 1;
    this.#completed.set(variant, completed);
    if (only === undefined ? completed === settings.docs : only.every(({ docId }) => journal.isCompleted(docId)))
      return;
    const prompts = only === undefined ? this.#prompts : (): Iterable<PromptedDoc> => only;
    await this.#folder.setStatus("running");
    const runner = await this.#open(variant, "answers");
    const report = progress.start(variant);
    const start = performance.now();
    const before = this.#worked.get(variant) ?? 0;
    const elapsed = (): number => before + Math.round(performance.now() - start) / 1000;
    // A killed process loses from its total at most the time since the last record.
    const clock = setInterval(() => void this.#folder.recordSeconds(variant, elapsed()).catch(() => {}), 2000);
    try {
      const onProgress = (state: VariantProgress): void =>
        report({ done: state.done, total: state.total, facts: progressFacts(state) });
      await askVariant(runner, journal, { task, settings, prompts, completed, signal, onProgress });
    } finally {
      clearInterval(clock);
      progress.end();
      this.#worked.set(variant, elapsed());
      await this.#folder.recordSeconds(variant, elapsed());
    }
    signal.throwIfAborted();
  }

  /** Gives a variant the baseline's completions. */
  async #score(variant: VariantName, journals: ReadonlyMap<VariantName, Journal>): Promise<ScoredVariant> {
    const { signal, progress } = this.#options;
    if (this.#settings.variants.length < 2) return { possible: false, failures: [] };
    return scoreVariant({
      variant,
      folder: this.#folder,
      sequences: await this.#sequences(journals),
      routing: isRoutingAsked(this.#engines),
      generation: this.#settings,
      concurrency: this.#settings.concurrency,
      runner: () => this.#open(variant, this.#engines.routing === "asked" ? "captures" : "answers"),
      signal,
      progress,
    });
  }

  async #sequences(journals: ReadonlyMap<VariantName, Journal>): Promise<Sequence[]> {
    const baseline = journals.get("baseline");
    if (baseline === undefined) return [];
    return sequencesToScore(this.#prompts(), baseline, this.#settings.parityDocs);
  }

  async #answersRouting(journals: ReadonlyMap<VariantName, Journal>): Promise<AnswersByVariant> {
    const answers: Partial<Record<VariantName, AnswersRouting>> = {};
    for (const [variant, journal] of journals) answers[variant] = await answersRouting(journal, this.#settings.docs);
    return answers;
  }

  #judgePair(scored: boolean, answers: AnswersByVariant, other: VariantName): ParityResult {
    if (this.#settings.variants.length < 2) return notJudged("one variant only");
    if (!scored) return notJudged("this engine cannot be given a completion");
    return judgeParity(this.#folder, { answers, other, ...unaskedText(this.#engines) });
  }

  async #parity(
    scored: boolean,
    answers: AnswersByVariant,
    journals: ReadonlyMap<VariantName, Journal>,
  ): Promise<ParityResult> {
    const result = this.#judgePair(scored, answers, "fused");
    const context = { folder: this.#folder, prompts: this.#prompts(), baseline: journals.get("baseline") };
    return { ...result, parity: await worstInContext(result.parity, this.#engines, context) };
  }

  /** What was allowed to differ and does, in words. */
  #differences(): string[] {
    const { variants } = this.#folder.record;
    const [a, b] = [variants["baseline"]?.engine, variants["fused"]?.engine];
    const between = a === undefined || b === undefined ? [] : this.#engines.differences(a, b);
    const within = Object.entries(variants).flatMap(([name, { engine = {}, earlier = [] }]) =>
      earlier.flatMap(({ engine: before, answered }) =>
        this.#engines
          .changes(before, engine)
          .map((change) => `${name} was answered by two engines, up to doc number ${answered} by another: ${change}`),
      ),
    );
    return [...between, ...within];
  }

  async #conclude(
    journals: ReadonlyMap<VariantName, Journal>,
    {
      parity,
      logprobs,
      outputs,
      floor,
    }: ParityResult & Pick<Comparison, "outputs"> & { readonly floor: ParityResult | undefined },
    { unscored, decided }: { readonly unscored: readonly string[]; readonly decided: boolean },
  ): Promise<Comparison> {
    const { task, data, command } = this.#options;
    const folder = this.#folder;
    const marked: MarkedVariant[] = [];
    for (const [variant, journal] of journals) {
      const shared = { task, data, settings: this.#settings, prompts: this.#prompts, folder };
      marked.push(await markVariant(variant, journal, { ...shared, fusecheck: VERSION }));
    }
    const [baseline, fused, repeat] = marked;
    const pairs =
      baseline !== undefined && fused !== undefined
        ? pairDocs(task, baseline.marks, fused.marks)
        : { paired: [], flips: [] };
    const { record } = folder;
    const summaries = marked.map(({ summary }) => summary);
    const divergence = await divergingTexts(journals.get("baseline"), journals.get("fused"), this.#settings);
    const judged = { paired: pairs.paired, parity, logprobs, outputs, divergence };
    const noiseFloor =
      floor === undefined || baseline === undefined || repeat === undefined
        ? undefined
        : {
            parity: withoutPicture(floor.parity),
            logprobs: floor.logprobs,
            paired: pairDocs(task, baseline.marks, repeat.marks).paired,
            divergence: await divergingTexts(journals.get("baseline"), journals.get("baseline-repeat"), this.#settings),
          };
    const levels = marked.length > 1 ? levelsOf(judged, this.#settings, noiseFloor) : [];
    const comparison: Comparison = {
      schema: 1,
      fusecheck: VERSION,
      created: record.created,
      task: { name: task.name, version: task.version, docs: data.total, provenance: describeProvenance(data) },
      engine: record.engine,
      environment: { ...record.environment },
      settings: record.settings,
      command,
      differences: this.#differences(),
      variants: summaries,
      ...pairs,
      parity,
      logprobs,
      outputs,
      divergence,
      ...(noiseFloor !== undefined && { noiseFloor }),
      levels,
      verdict: judge(summaries, pairs.paired, parity, unscored, logprobs, {
        ...this.#settings,
        decided,
        otherFaults: outputFaults(outputs),
        floor: noiseFloor,
      }),
      notJudged: throughputNote(),
    };
    await writeReports(folder, comparison);
    await folder.setStatus(comparison.verdict.complete ? "complete" : "incomplete");
    return comparison;
  }
}

type AnswersByVariant = Readonly<Partial<Record<VariantName, AnswersRouting>>>;

/** Two runs of the baseline are a measure, and nothing to look at in detail. */
function withoutPicture(parity: ParityResult["parity"]): ParityResult["parity"] {
  if (parity.kind === "not judged") return parity;
  const { picture: _, ...rest } = parity;
  return rest;
}

function isRoutingAsked({ routing }: VariantEngines): boolean {
  return routing === "own" || routing === "asked";
}

function unaskedText({ routing }: VariantEngines): { readonly unasked?: string } {
  if (routing === "not asked") return { unasked: "routing was not captured (--capture asks for it)" };
  return routing === "not offered" ? { unasked: "the engine says nothing of its routing" } : {};
}

function unscoredText(variant: VariantName, failures: ScoredVariant["failures"]): string[] {
  const [first] = failures;
  if (first === undefined) return [];
  const what = `${variant}: the routing of ${counted(failures.length, "doc")} was not captured`;
  return [`${what} (doc ${first.doc_id}: ${first.reason}); the same command asks for it again`];
}

/** Like `Promise.all`, but leaves nothing running behind when one fails. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  const failure = (await Promise.allSettled(work)).find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

function progressFacts({ correct, marked, failed }: VariantProgress): string[] {
  const facts = marked === 0 ? [] : [`exact match ${(correct / marked).toFixed(3)}`];
  return failed === 0 ? facts : [...facts, `${failed} failed`];
}

function describeProvenance({ provenance }: TaskData): string {
  const { source, published, note } = provenance;
  const what = {
    given: "given with --data",
    cache: "from the cache",
    download: "downloaded",
    generated: "generated",
  }[source];
  const identity =
    source === "generated" ? "" : published ? ", the published set by its SHA-256" : ", not the published set";
  return `${what}${identity}${note === undefined ? "" : `; ${note}`}`;
}
