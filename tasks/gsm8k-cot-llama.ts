import { cotExemplars } from "./cot-exemplars.ts";
import { loadGsm8k } from "./data/gsm8k-files.ts";
import { finalAnswerIs } from "./extract.ts";
import { finalAnswer } from "./final-answer.ts";
import { FLEXIBLE_EXTRACT } from "./task.ts";
import type { Task } from "./task.ts";

const EXAMPLES = cotExemplars((answer) => `The final answer is ${answer}`);

/** GSM8K as Llama 3 was evaluated: an instruction around each problem, and `The final answer is 18`. */
export const gsm8kCotLlama: Task = {
  name: "gsm8k_cot_llama",
  version: 4,
  numFewshot: 8,
  numFewshotFixed: false,
  fewshotSampler: "first",
  fewshotFromEvaluated: false,
  generation: {
    doSample: false,
    until: ["<|eot_id|>", "<|start_header_id|>user<|end_header_id|>", "Q:", "</s>", "<|im_end|>"],
  },
  filters: [{ name: "strict-match", extract: finalAnswerIs }, FLEXIBLE_EXTRACT],
  question: (doc) =>
    "Given the following problem, reason and give a final answer to the problem.\n" +
    `Problem: ${doc.question}\n` +
    'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n',
  target: finalAnswer,
  exampleTarget: (doc) => doc.answer,
  // The question ends its own line.
  targetDelimiter: "",
  load: (source) => loadGsm8k(source, EXAMPLES),
};
