import { loadGsm8k } from "./data/gsm8k-files.ts";
import { answerIs } from "./extract.ts";
import { FLEXIBLE_EXTRACT } from "./task.ts";
import type { Task } from "./task.ts";

/** GSM8K without examples: the prompt itself starts the reasoning. */
export const gsm8kCotZeroshot: Task = {
  name: "gsm8k_cot_zeroshot",
  version: 3,
  numFewshot: 0,
  numFewshotFixed: true,
  fewshotSampler: "draw",
  fewshotFromEvaluated: false,
  generation: { until: ["Q:", "</s>", "<|im_end|>"], doSample: false },
  filters: [{ name: "strict-match", extract: answerIs }, FLEXIBLE_EXTRACT],
  question: (doc) => `Q: ${doc.question}\nA: Let's think step by step.`,
  target: (doc) => doc.answer,
  exampleTarget: (doc) => doc.answer,
  targetDelimiter: " ",
  load: (source) => loadGsm8k(source, []),
};
