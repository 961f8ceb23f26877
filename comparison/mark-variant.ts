/** Marks what one variant answered, and writes lm-eval's two files for it. */
import { exactMatch } from "../metrics/exact-match.ts";
import { wilsonInterval } from "../metrics/wilson.ts";
import type { FilterInterval, VariantSummary } from "../reports/comparison.ts";
import { writeFileAtomic } from "../reports/files.ts";
import type { Completed } from "../reports/journal-row.ts";
import type { Journal } from "../reports/journal.ts";
import { buildResults, lmEvalFileNames, resultsText, tableInput } from "../reports/lm-eval-results.ts";
import type { LmEvalResultsInput } from "../reports/lm-eval-results.ts";
import { writeSamples } from "../reports/lm-eval-samples.ts";
import type { SampleSource } from "../reports/lm-eval-samples.ts";
import type { PythonValue } from "../reports/python-repr.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { generationKwargs, mark, promptText } from "../tasks/index.ts";
import type { Marked, PromptedDoc, Task, TaskData } from "../tasks/index.ts";
import type { ResolvedSettings } from "./settings.ts";
import { CompactMarks } from "./compact-marks.ts";
import type { MarksByDoc } from "./compact-marks.ts";
import { stated } from "../reports/stated.ts";

export interface MarkedVariant {
  readonly summary: VariantSummary;
  readonly marks: MarksByDoc;
}

export interface MarkVariantOptions {
  readonly task: Task;
  readonly data: TaskData;
  readonly settings: ResolvedSettings;
  readonly prompts: () => Iterable<PromptedDoc>;
  readonly folder: RunFolder;
  readonly fusecheck: string;
}

/** Failures listed by doc in the report; the rest are counted. */
const LISTED_FAILURES = 20;

export async function markVariant(name: string, journal: Journal, options: MarkVariantOptions): Promise<MarkedVariant> {
  const { task, settings, folder, prompts } = options;
  const marks = new CompactMarks(
    task.filters.map((filter) => filter.name),
    settings.docs,
  );
  const tally = { scored: 0, unanswered: 0, failed: 0, truncated: 0, reasoned: 0, promptTokens: 0, generatedTokens: 0 };
  const failures: { doc_id: number; reason: string }[] = [];
  for (const doc of prompts()) {
    const outcome = (await journal.read(doc.docId))?.outcome;
    if (outcome === undefined) continue;
    if (outcome.kind === "failed") {
      tally.failed += 1;
      if (failures.length < LISTED_FAILURES) failures.push({ doc_id: doc.docId, reason: outcome.reason });
      continue;
    }
    const marked = mark(task, outcome.text, doc.target);
    marks.set(doc.docId, marked);
    tally[[...marked.values()].some(({ extracted }) => extracted !== null) ? "scored" : "unanswered"] += 1;
    if (outcome.finish_reason === "length") tally.truncated += 1;
    if (outcome.reasoning !== undefined) tally.reasoned += 1;
    tally.promptTokens += outcome.prompt_tokens;
    tally.generatedTokens += outcome.completion_tokens;
  }
  const { scored, unanswered, failed, truncated, reasoned, promptTokens, generatedTokens } = tally;
  const seconds = folder.record.variants[name]?.seconds ?? 0;
  const input = await resultsInput(name, journal, marks, options, seconds);
  const { results } = lmEvalFileNames(task.name, new Date(folder.record.created));
  await writeFileAtomic(folder.file(results, name), resultsText(buildResults(input)));
  const skipped = settings.docs - scored - unanswered - failed;
  return {
    marks,
    summary: {
      name,
      table: tableInput(input),
      intervals: input.scores.flatMap(wilson),
      counts: { total: settings.docs, scored, unanswered, failed, skipped },
      truncated,
      ...(reasoned > 0 && { reasoned }),
      promptTokens,
      generatedTokens,
      seconds,
      engine: folder.record.variants[name]?.engine ?? {},
      failures,
    },
  };
}

function wilson({ filter, summary: { correct, n } }: LmEvalResultsInput["scores"][number]): FilterInterval[] {
  const interval = wilsonInterval(correct, n);
  return interval === undefined ? [] : [{ filter, correct, n, low: interval.low, high: interval.high }];
}

/** The content of the results file; writes the samples file on the way, whose hash it needs. */
async function resultsInput(
  name: string,
  journal: Journal,
  marks: CompactMarks,
  { task, data, settings, prompts, folder, fusecheck }: MarkVariantOptions,
  seconds: number,
): Promise<LmEvalResultsInput> {
  const started = new Date(folder.record.created);
  const filters = task.filters.map((filter) => filter.name);
  const generation = generationKwargs(task) as Readonly<Record<string, PythonValue>>;
  const { environment, engine } = folder.record;
  const written = await writeSamples(folder.file(lmEvalFileNames(task.name, started).samples, name), filters, {
    async *[Symbol.asyncIterator](): AsyncGenerator<SampleSource> {
      for (const doc of prompts()) {
        const outcome = (await journal.read(doc.docId))?.outcome;
        if (outcome?.kind !== "completed") continue;
        yield sampleSource(doc, outcome, marks.get(doc.docId) as ReadonlyMap<string, Marked>, generation);
      }
    },
  });
  const model = stated(engine, "model");
  return {
    task: task.name,
    version: task.version,
    scores: filters.map((filter) => ({
      filter,
      summary: exactMatch(marks.exactMatches(filter)),
    })),
    taskConfig: {
      task: task.name,
      num_fewshot: settings.numFewshot,
      output_type: "generate_until",
      generation_kwargs: generation,
      repeats: 1,
      metadata: { version: task.version },
    },
    numFewshot: settings.numFewshot,
    originalDocs: Math.max(data.total, settings.docs),
    effectiveDocs: marks.size,
    limit: settings.limit,
    fewshotSeed: settings.seed,
    model: { source: `fusecheck-${stated(engine, "name")}`, name: model, args: { model, variant: name } },
    generation: { max_tokens: settings.maxTokens, temperature: settings.temperature },
    concurrency: settings.concurrency,
    device: "cpu",
    chat: settings.chat,
    gitCommit: environment.git_commit,
    environment: `${environment.platform}, ${environment.cpu}, Node ${environment.node}`,
    started,
    seconds,
    taskHash: written.taskHash,
    fusecheck,
    extra: { variant: name },
  };
}

function sampleSource(
  doc: PromptedDoc,
  { text: completion, reasoning }: Completed,
  marks: ReadonlyMap<string, Marked>,
  generation: SampleSource["generation"],
): SampleSource {
  const text = promptText(doc.prompt);
  return {
    doc_id: doc.docId,
    doc: { ...doc.doc },
    target: doc.target,
    prompt: doc.prompt.kind === "chat" ? [text] : text,
    generation,
    completion,
    ...(reasoning !== undefined && { reasoning }),
    answers: Object.fromEntries(
      [...marks].map(([filter, { extracted, exactMatch: match }]) => [filter, { extracted, exact_match: match }]),
    ),
    doc_hash: doc.docHash,
    prompt_hash: doc.promptHash,
    target_hash: doc.targetHash,
  };
}
