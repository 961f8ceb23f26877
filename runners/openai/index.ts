/** The runner for any server that speaks the OpenAI protocol. */
export { DIALECTS, getDialect } from "./dialects.ts";
export type { DialectName } from "./dialects.ts";
export type { FailureKind } from "./failure.ts";
export { openOpenAiRunner } from "./open-openai-runner.ts";
export type { OpenAiRunner } from "./open-openai-runner.ts";
export type { OpenAiRunnerOptions } from "./options.ts";
export { RequestFailedError } from "./request-failed-error.ts";
