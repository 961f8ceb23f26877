import { cotExemplars } from "./cot-exemplars.ts";
import { loadGsm8k } from "./data/gsm8k-files.ts";
import { answerIs } from "./extract.ts";
import { finalAnswer } from "./final-answer.ts";
import { FLEXIBLE_EXTRACT } from "./task.ts";
import type { Task } from "./task.ts";

const EXAMPLES = cotExemplars((answer) => `The answer is ${answer}.`);

/** GSM8K after the eight chain-of-thought examples, whose solutions end in `The answer is 18.` */
export const gsm8kCot: Task = {
  name: "gsm8k_cot",
  version: 3,
  numFewshot: 8,
  numFewshotFixed: false,
  fewshotSampler: "first",
  fewshotFromEvaluated: false,
  generation: { doSample: false, until: ["Q:", "</s>", "<|im_end|>"] },
  filters: [{ name: "strict-match", extract: answerIs }, FLEXIBLE_EXTRACT],
  question: (doc) => `Q: ${doc.question}\nA:`,
  target: finalAnswer,
  exampleTarget: (doc) => doc.answer,
  targetDelimiter: " ",
  load: (source) => loadGsm8k(source, EXAMPLES),
};
