/**
 * Writes the problems that abacus-8m is trained and measured on.
 *
 *     npx tsx models/abacus-8m/training/corpus.ts --data DIR --out DIR [--problems 450000]
 *
 * `--data` holds GSM8K's `train.jsonl` and `test.jsonl`. Train problems of `gsm_synth` and GSM8K's train split are trained
 * on; the others only measure. The few-shot examples that a user's runs draw may be among the trained problems, the
 * questions they ask never are: no train problem shares its numbers with a test problem.
 */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { cotExemplars } from "../../../tasks/cot-exemplars.ts";
import { readDocs } from "../../../tasks/data/read-docs.ts";
import type { Doc } from "../../../tasks/doc.ts";
import { synthProblems } from "../../../tasks/gsm-synth/index.ts";

/** Problems per file: files of some 25 MB can be packed, moved and read in parallel. */
const PER_FILE = 50_000;

/** Sets to measure on, by the seed of the test split: checkpoints are chosen on one and reported on the other. */
const MEASURED = { choice: "abacus-8m choice", fresh: "abacus-8m fresh" } as const;
const MEASURED_PROBLEMS = 2000;

async function writeRows(file: string, rows: Iterable<Doc>): Promise<void> {
  const stream = createWriteStream(file);
  for (const { question, answer } of rows) {
    if (!stream.write(`${JSON.stringify({ question, answer })}\n`)) await once(stream, "drain");
  }
  stream.end();
  await once(stream, "finish");
}

function exemplars(conclude: (answer: string) => string): { question: string; target: string }[] {
  return cotExemplars(conclude).map(({ question, answer }) => ({ question, target: answer }));
}

const { values } = parseArgs({
  options: { data: { type: "string" }, out: { type: "string" }, problems: { type: "string", default: "450000" } },
});
if (values.data === undefined || values.out === undefined) throw new Error("--data DIR and --out DIR are needed");
const { data, out } = values;

await mkdir(out, { recursive: true });
for (const split of ["train", "test"]) {
  await writeRows(join(out, `gsm8k-${split}.jsonl`), await readDocs(join(data, `${split}.jsonl`)));
}
const fixed = {
  cot: exemplars((answer) => `The answer is ${answer}.`),
  llama: exemplars((answer) => `The final answer is ${answer}`),
};
await writeFile(join(out, "exemplars.json"), `${JSON.stringify(fixed, undefined, 1)}\n`);
for (const [name, seed] of Object.entries(MEASURED)) {
  await writeRows(join(out, `synth-${name}.jsonl`), synthProblems("test", { seed, limit: MEASURED_PROBLEMS }));
}
const problems = Number(values.problems);
for (let from = 0; from < problems; from += PER_FILE) {
  const file = `synth-train-${String(from / PER_FILE).padStart(2, "0")}.jsonl`;
  const limit = Math.min(PER_FILE, problems - from);
  await writeRows(join(out, file), synthProblems("train", { seed: "abacus-8m", from, limit }));
  console.log(`${file}: problems ${from} to ${from + limit - 1}`);
}
