/** GSM8K-Platinum (Vendrow et al. 2025): one split, which the user brings. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import type { DataSource } from "./data-source.ts";
import { requireFolder } from "./folder.ts";
import { GSM8K_TEST } from "./gsm8k-files.ts";
import { readDocs, sha256OfFile } from "./read-docs.ts";
import type { TaskData } from "./task-data.ts";
import { listedData } from "./task-data.ts";

/** The first that is there is read; the longer name lets the file lie beside GSM8K's own. */
const NAMES = ["platinum_test.jsonl", "test.jsonl"] as const;

const HOW_TO_GET_IT =
  "save the test split of the Hugging Face dataset madrylab/gsm8k-platinum as JSON Lines with its columns question and " +
  `answer, name it ${NAMES[0]}, and pass --data with its folder`;

/** @throws UserError when no file was given: the dataset is published only in a format of the Hugging Face hub */
export async function loadPlatinum({ dir }: DataSource): Promise<TaskData> {
  if (dir === undefined) throw new UserError(`gsm8k_platinum is not downloaded by itself: ${HOW_TO_GET_IT}`);
  await requireFolder(dir);
  const name = await firstPresent(dir);
  const path = join(dir, name);
  const sha256 = await sha256OfFile(path);
  const docs = await readDocs(path);
  return listedData(docs, docs, {
    source: "given",
    path: dir,
    published: false,
    files: [{ name, sha256, rows: docs.length }],
    note:
      sha256 === GSM8K_TEST.sha256
        ? `not GSM8K-Platinum: ${path} is GSM8K's own test split`
        : `the SHA-256 of the published GSM8K-Platinum is not known, so ${path} was not held to it`,
  });
}

async function firstPresent(dir: string): Promise<string> {
  for (const name of NAMES) {
    if ((await stat(join(dir, name)).catch(() => undefined)) !== undefined) return name;
  }
  throw new UserError(`${dir} holds neither ${NAMES.join(" nor ")}: ${HOW_TO_GET_IT}`);
}
