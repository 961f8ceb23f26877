/** A run from beginning to end: asks the variants, marks, compares, writes the run folder. */
import { setMaxListeners } from "node:events";
import { EngineError } from "../errors.ts";
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
import { incomparable } from "../runners/variant-engines.ts";
import type { EngineIdentity, VariantEngines, VariantName } from "../runners/variant-engines.ts";
import { buildPrompts } from "../tasks/index.ts";
import type { PromptedDoc, Task, TaskData } from "../tasks/index.ts";
import { askVariant } from "./ask-variant.ts";
import type { VariantProgress } from "./ask-variant.ts";
import { answersRouting, judgeParity, notJudged } from "./judge-parity.ts";
import type { AnswersRouting, ParityResult } from "./judge-parity.ts";
import { judgeLevels } from "./levels.ts";
import { markVariant } from "./mark-variant.ts";
import type { MarkedVariant } from "./mark-variant.ts";
import { pairDocs } from "./pair-docs.ts";
import { progressTogether } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { scoreVariant, sequencesToScore } from "./score-variant.ts";
import type { ScoredVariant } from "./score-variant.ts";
import { decisiveSettings, resolveSettings } from "./settings.ts";
import type { EvaluateSettings, ResolvedSettings } from "./settings.ts";
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
    const engine = await engines.identity(signal);
    if ((await readRunRecord(output)) === undefined) await engines.check?.(signal);
    return await evaluateIn(await openFolder(options, settings, engine), engines, settings, options);
  } finally {
    await engines.close();
  }
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
    if (signal.aborted || error instanceof EngineError) await folder.setStatus("interrupted");
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
      if (this.#engines.parallel) {
        const together = progressTogether(this.#options.progress);
        await allEnded(variants.map((variant) => ask(variant, together(variant))));
      }
      const unscored: string[] = [];
      let scored = true;
      for (const variant of variants) {
        if (!this.#engines.parallel) await ask(variant, this.#options.progress);
        if (scored) {
          const { possible, failures } = await this.#score(variant, journals);
          scored = possible;
          unscored.push(...unscoredText(variant, failures));
        }
        await this.#engines.release(variant);
      }
      return await this.#conclude(journals, await this.#parity(scored, journals), unscored);
    } finally {
      for (const journal of journals.values()) await journal.close();
    }
  }

  #prompts = (): Iterable<PromptedDoc> => promptsOf(this.#options, this.#settings);

  async #open(variant: VariantName): Promise<Runner> {
    const { signal, progress } = this.#options;
    const { runner, facts } = await this.#engines.open(variant, {
      signal,
      folder: this.#folder.file("", variant),
      note: (text) => progress.note(`${variant}: ${text}`),
    });
    await this.#folder.recordEngine(variant, facts as JsonObject);
    const { baseline, fused } = this.#folder.record.variants;
    if (baseline?.engine !== undefined && fused?.engine !== undefined && !this.#settings.allowDifferences) {
      const [difference] = this.#engines.differences(baseline.engine, fused.engine);
      if (difference !== undefined) throw incomparable(difference);
    }
    return runner;
  }

  async #ask(variant: VariantName, journal: Journal, progress: Progress): Promise<void> {
    const { task, signal } = this.#options;
    const settings = this.#settings;
    let completed = 0;
    for (let docId = 0; docId < settings.docs; docId++) if (journal.isCompleted(docId)) completed += 1;
    if (completed === settings.docs) return;
    await this.#folder.setStatus("running");
    const runner = await this.#open(variant);
    const report = progress.start(variant);
    const start = performance.now();
    const elapsed = (): number => Math.round(performance.now() - start) / 1000;
    // A killed process loses from its total at most the time since the last record.
    const clock = setInterval(() => void this.#folder.recordSeconds(variant, elapsed()).catch(() => {}), 2000);
    try {
      const onProgress = (state: VariantProgress): void =>
        report({ done: state.done, total: state.total, facts: progressFacts(state) });
      await askVariant(runner, journal, { task, settings, prompts: this.#prompts, completed, signal, onProgress });
    } finally {
      clearInterval(clock);
      progress.end();
      await this.#folder.recordSeconds(variant, elapsed());
    }
    signal.throwIfAborted();
  }

  /** Gives a variant the baseline's completions. */
  async #score(variant: VariantName, journals: ReadonlyMap<VariantName, Journal>): Promise<ScoredVariant> {
    const { signal, progress } = this.#options;
    const { variants, parityDocs } = this.#settings;
    const baseline = journals.get("baseline");
    if (variants.length < 2 || baseline === undefined) return { possible: false, failures: [] };
    return scoreVariant({
      variant,
      folder: this.#folder,
      sequences: await sequencesToScore(this.#prompts(), baseline, parityDocs),
      runner: () => this.#open(variant),
      signal,
      progress,
    });
  }

  async #parity(scored: boolean, journals: ReadonlyMap<VariantName, Journal>): Promise<ParityResult> {
    if (this.#settings.variants.length < 2) return notJudged("one variant only");
    if (!scored) return notJudged("this engine cannot be given a completion");
    const answers: Partial<Record<VariantName, AnswersRouting>> = {};
    for (const [variant, journal] of journals) answers[variant] = await answersRouting(journal, this.#settings.docs);
    const result = judgeParity(this.#folder, answers);
    const context = { folder: this.#folder, prompts: this.#prompts(), baseline: journals.get("baseline") };
    return { ...result, parity: await worstInContext(result.parity, this.#engines, context) };
  }

  async #conclude(
    journals: ReadonlyMap<VariantName, Journal>,
    { parity, logprobs }: ParityResult,
    unscored: readonly string[],
  ): Promise<Comparison> {
    const { task, data, command } = this.#options;
    const folder = this.#folder;
    const marked: MarkedVariant[] = [];
    for (const [variant, journal] of journals) {
      const shared = { task, data, settings: this.#settings, prompts: this.#prompts, folder };
      marked.push(await markVariant(variant, journal, { ...shared, fusecheck: VERSION }));
    }
    const [baseline, fused] = marked;
    const { paired, flips } =
      baseline !== undefined && fused !== undefined
        ? pairDocs(task, baseline.marks, fused.marks)
        : { paired: [], flips: [] };
    const { record } = folder;
    const summaries = marked.map(({ summary }) => summary);
    const comparison: Comparison = {
      schema: 1,
      fusecheck: VERSION,
      created: record.created,
      task: { name: task.name, version: task.version, docs: data.total, provenance: describeProvenance(data) },
      engine: record.engine,
      environment: { ...record.environment },
      settings: record.settings,
      command,
      variants: summaries,
      paired,
      flips,
      parity,
      logprobs,
      verdict: judge(summaries, paired, parity, unscored),
      ...(marked.length > 1 && { levels: judgeLevels(paired, parity, logprobs) }),
      notJudged: throughputNote(marked.length),
    };
    await writeReports(folder, comparison);
    await folder.setStatus(comparison.verdict.complete ? "complete" : "incomplete");
    return comparison;
  }
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
