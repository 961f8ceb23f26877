/** What is asked and how it is marked. */
export type { DataSource } from "./data/data-source.ts";
export type { Provenance, TaskData } from "./data/task-data.ts";
export { chooseDocs } from "./choose-docs.ts";
export type { Doc } from "./doc.ts";
export { exactMatch } from "./exact-match.ts";
export { resolveNumFewshot } from "./fewshot.ts";
export { sha256OfText } from "./hashes.ts";
export { majorityVote } from "./majority-vote.ts";
export type { AnswerFilter, Marked } from "./mark.ts";
export { filteredResponse } from "./mark.ts";
export { readPromptRows } from "./prompt-rows.ts";
export type { Message, Prompt, PromptedDoc, PromptOptions } from "./prompts.ts";
export { buildPrompts, FEWSHOT_SEED, promptText } from "./prompts.ts";
export type { ScoreSummary } from "./score-completions.ts";
export { scoreCompletions } from "./score-completions.ts";
export type { Generation, Task, TaskName } from "./task.ts";
export { generationKwargs, getTask, mark, TASKS } from "./tasks.ts";
