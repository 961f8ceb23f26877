/** The public library: tasks and their marking, the embedded engine and its routing, the comparison of two variants. */
export { EngineError, UserError } from "./errors.ts";

export {
  buildPrompts,
  exactMatch as exactMatchOne,
  getTask,
  majorityVote,
  mark,
  promptText,
  scoreCompletions,
  TASKS,
} from "./tasks/index.ts";
export type {
  AnswerFilter,
  DataSource,
  Doc,
  Generation,
  Marked,
  Message,
  Prompt,
  PromptedDoc,
  PromptOptions,
  Provenance,
  Task,
  TaskData,
  TaskName,
} from "./tasks/index.ts";
export { evaluateMarks, synthProblem, synthProblems } from "./tasks/gsm-synth/index.ts";
export type { SynthProblem } from "./tasks/gsm-synth/index.ts";

export { EmbeddedEngine } from "./engine/embedded-engine.ts";
export type { EmbeddedEngineOptions } from "./engine/embedded-engine.ts";
export type {
  Completion,
  CompletionRequest,
  InvariantCount,
  RoutingCapture,
  Score,
  ScoreRequest,
} from "./engine/requests.ts";
export {
  expertHistogram,
  expertOffsets,
  fusedRoutingFromTopk,
  placeEntries,
  toLocalExperts,
} from "./engine/routing/fused.ts";
export { routingFromTopk } from "./engine/routing/reference-chain.ts";
export { selectExperts } from "./engine/routing/select-experts.ts";
export { checkRoutingData } from "./engine/routing/invariants.ts";
export { compareRoutingData } from "./engine/routing/compare-routing-data.ts";
export { expertData } from "./engine/routing/expert-tiles.ts";
export type { RoutingData, RoutingImplementation, RoutingInput, WeightArray } from "./engine/routing/routing-data.ts";
export { openSafetensors } from "./engine/safetensors.ts";

export {
  checkCapture,
  firstTokens,
  moeLayout,
  pairCaptures,
  readCapture,
  readMoeLayout,
  readNpy,
  settleAcrossDocs,
} from "./runners/routed-experts/index.ts";
export type {
  AbsentCapture,
  AbsentCause,
  BrokenCapture,
  Captured,
  CapturedSequence,
  CaptureFault,
  CaptureRequest,
  CaptureResult,
  DecodedIds,
  ExpectedTokens,
  MoeLayout,
  NotPaired,
  NpyArray,
  PairedCaptures,
  PairedLogprobs,
  PairedRouting,
  ReadCaptureOptions,
  RoutedExperts,
  RoutedExpertsForm,
  SequenceLogprobs,
  SequenceTokens,
  SharedTokens,
} from "./runners/routed-experts/index.ts";

export { exactMatch } from "./metrics/exact-match.ts";
export { bootstrap } from "./metrics/bootstrap.ts";
export type { BootstrapEstimate, BootstrapOptions } from "./metrics/bootstrap.ts";
export { clusteredDifference, clusteredMean } from "./metrics/clustered.ts";
export type { ClusteredMean } from "./metrics/clustered.ts";
export { decide, decideAll, leastOf } from "./metrics/decide.ts";
export type { DecideOptions, Decision } from "./metrics/decide.ts";
export { holm } from "./metrics/holm.ts";
export { mcnemar } from "./metrics/mcnemar.ts";
export { pairedDifference } from "./metrics/paired.ts";
export type { DifferenceEstimate, PairedDifference } from "./metrics/paired.ts";
export { decisionProbabilities, planDocs } from "./metrics/plan-docs.ts";
export type { DecisionProbabilities, DocsPlan, PlanOptions } from "./metrics/plan-docs.ts";
export { sequentialInterval, SequentialPairs } from "./metrics/sequential.ts";
export type { SequentialOptions } from "./metrics/sequential.ts";
export { tangoInterval } from "./metrics/tango.ts";
export type { DiscordantPairs } from "./metrics/tango.ts";
export { wilsonInterval } from "./metrics/wilson.ts";
export { compareRouting, mergeRouting } from "./metrics/routing-parity.ts";

export { EmbeddedVariants } from "./runners/embedded-variants.ts";
export type { EmbeddedVariantsOptions } from "./runners/embedded-variants.ts";
export { ServerVariants } from "./runners/server-variants.ts";
export type { ServerVariantsOptions } from "./runners/server-variants.ts";
export { loadConfig, parseConfig, resolveBaseline, resolveVariants } from "./runners/config/index.ts";
export type { ResolvedVariants, UserConfig, VariantSpec } from "./runners/config/index.ts";
export { openOpenAiRunner, RequestFailedError } from "./runners/openai/index.ts";
export type { OpenAiRunner, OpenAiRunnerOptions } from "./runners/openai/index.ts";
export { EngineLostError } from "./runners/runner.ts";
export type { Answer, AskOptions, Runner, RunnerPrompt, ScoredSequence } from "./runners/runner.ts";
export type { EngineIdentity, VariantEngines, VariantFacts, VariantName } from "./runners/variant-engines.ts";

export { startServer } from "./server/index.ts";
export type { Server, ServerOptions } from "./server/index.ts";

export { compareCaptures } from "./comparison/compare-captures.ts";
export type { CompareCapturesOptions } from "./comparison/compare-captures.ts";
export type { CaptureComparison } from "./reports/capture-comparison.ts";
export type { CaptureFacts, CaptureSource } from "./runners/captures/capture-source.ts";
export type { ModelFacts } from "./runners/captures/model-facts.ts";
export { openCapture } from "./runners/captures/open-capture.ts";

export { evaluate, InterruptedError } from "./comparison/evaluate.ts";
export type { EvaluateOptions, Evaluation } from "./comparison/evaluate.ts";
export type { EvaluateSettings } from "./comparison/settings.ts";
export type { Comparison } from "./reports/comparison.ts";
export { makeTable } from "./reports/table.ts";

export { changedFacts } from "./reports/history/bisect-hint.ts";
export type { ChangedFact } from "./reports/history/bisect-hint.ts";
export { openHistory } from "./reports/history/history.ts";
export type { History, HistoryNight, OpenHistoryOptions, Series, SeriesQuery } from "./reports/history/history.ts";
export { HistoryLostError } from "./reports/history/problems.ts";
export { readHistoryRun } from "./reports/history/read-run.ts";
export type { HistoryRun, HistoryScore } from "./reports/history/record.ts";
export { trendOf } from "./reports/history/trend.ts";
export type { Trend, TrendOptions } from "./reports/history/trend.ts";
export { cusumRunLength, cusumThreshold } from "./metrics/cusum-run-length.ts";
export { driftOf } from "./metrics/drift.ts";
export type { Drift, Night } from "./metrics/drift.ts";

export type { NightlyConfig, NightlyRow, UserNightly } from "./nightly/config.ts";
export { mergeShards } from "./nightly/merge.ts";
export { loadNightly, parseNightly } from "./nightly/parse-nightly.ts";
export { runNightly } from "./nightly/run-nightly.ts";
export type { RunNightlyOptions } from "./nightly/run-nightly.ts";
export type { Alarm, NightSummary, RowOutcome, RowResult } from "./nightly/summary.ts";

export { checkDump } from "./parity/check-dump.ts";
export type { CheckedDump, DumpResult } from "./parity/check-dump.ts";
export { checkRouted } from "./parity/check-routed.ts";
export type { Routed, RoutedReport, RoutedViolation } from "./parity/check-routed.ts";
export { checkedImplementation, spotCheck } from "./parity/spot-check.ts";
export type { Checked, SpotCheck, SpotCheckOptions } from "./parity/spot-check.ts";
