import { UserError } from "../errors.ts";
import type { Doc } from "./doc.ts";
import type { FewshotPool, TaskData } from "./data/task-data.ts";
import { GSM_SYNTH_VERSION, synthProblem } from "./gsm-synth/index.ts";
import { GSM8K_FORM } from "./task.ts";
import type { Task } from "./task.ts";

/** Docs asked unless another limit is given: the README's main command must end within 2 minutes on 2 cores. */
const DEFAULT_SIZE = 250;

/** As many as GSM8K's train split has, so that the same seed draws the same positions. */
const POOL_SIZE = 7473;

/** Generated problems in GSM8K's form, asked and marked as `gsm8k` is; needs no files. */
export const gsmSynth: Task = {
  ...GSM8K_FORM,
  name: "gsm_synth",
  version: GSM_SYNTH_VERSION,
  // The shots at which the embedded model is measured, and at which the field's own CI asks GSM8K.
  numFewshot: 3,
  async load({ dir }) {
    if (dir !== undefined)
      throw new UserError(`--data ${dir}: gsm_synth is generated and reads no files; leave out --data`);
    return generatedData();
  },
};

function generatedData(): TaskData {
  return {
    total: DEFAULT_SIZE,
    docs: testDocs,
    doc: (docId) => (Number.isSafeInteger(docId) && docId >= 0 ? problem("test", docId) : undefined),
    fewshotPool: generatedPool(),
    provenance: { source: "generated", published: true, files: [] },
  };
}

function* testDocs(limit: number = DEFAULT_SIZE): Generator<Doc, void, undefined> {
  for (let index = 0; index < limit; index++) yield problem("test", index);
}

/** Examples are generated when first drawn, and kept: making one takes longer than looking it up. */
function generatedPool(): FewshotPool {
  const made = new Map<number, Doc>();
  return {
    size: POOL_SIZE,
    at: (index) => {
      const doc = made.get(index) ?? problem("train", index);
      made.set(index, doc);
      return doc;
    },
  };
}

/** GSM8K's two columns alone, so that a doc's hash does not hang on what the generator tells besides. */
function problem(split: "train" | "test", index: number): Doc {
  const { question, answer } = synthProblem(split, index);
  return { question, answer };
}
