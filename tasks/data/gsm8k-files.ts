/** The two files of GSM8K (Cobbe et al. 2021, MIT licence): from a folder, the cache, or one download from their home. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import type { Doc } from "../doc.ts";
import type { DataSource } from "./data-source.ts";
import { cacheRoot } from "./data-source.ts";
import type { PublishedFile } from "./download.ts";
import { download, DownloadFailure } from "./download.ts";
import { requireFolder } from "./folder.ts";
import { readDocs, sha256OfFile } from "./read-docs.ts";
import type { DataFile, Provenance, TaskData } from "./task-data.ts";
import { listedData } from "./task-data.ts";

const TRAIN: PublishedFile = {
  name: "train.jsonl",
  sha256: "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
  bytes: 4_166_206,
  rows: 7473,
};
export const GSM8K_TEST: PublishedFile = {
  name: "test.jsonl",
  sha256: "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
  bytes: 749_738,
  rows: 1319,
};

/** The authors' repository; the branch may move, the files are held to their SHA-256. */
const HOME = "https://raw.githubusercontent.com/openai/grade-school-math/master/grade_school_math/data/";

/**
 * The test split to ask, and the examples to show.
 *
 * @param examples - `drawn from train`, or the task's own; the train split is read only where it is needed
 * @throws UserError when the files cannot be had or are not what they should be
 */
export async function loadGsm8k(source: DataSource, examples: "drawn from train" | readonly Doc[]): Promise<TaskData> {
  const place = await findPlace(source);
  const test = await readSplit(GSM8K_TEST, place, source);
  const train = examples === "drawn from train" ? await readSplit(TRAIN, place, source) : undefined;
  const splits = train === undefined ? [test] : [train, test];
  return listedData(test.docs, train?.docs ?? (examples as readonly Doc[]), provenance(place, splits));
}

interface Place {
  readonly folder: string;
  readonly given: boolean;
}

interface Split {
  readonly docs: readonly Doc[];
  readonly file: DataFile;
  readonly published: boolean;
  readonly downloaded: boolean;
}

async function findPlace(source: DataSource): Promise<Place> {
  if (source.dir === undefined) return { folder: join(cacheRoot(source), "gsm8k"), given: false };
  await requireFolder(source.dir);
  return { folder: source.dir, given: true };
}

async function readSplit(file: PublishedFile, { folder, given }: Place, source: DataSource): Promise<Split> {
  const path = join(folder, file.name);
  const downloaded = !given && !(await exists(path));
  if (downloaded) await fetchInto(path, file, folder, source);
  const sha256 = await sha256OfFile(path);
  const published = sha256 === file.sha256;
  if (!published && !given) {
    throw new UserError(
      `${path} is not the published file (SHA-256 ${sha256}, expected ${file.sha256}): ` +
        `delete it to have it downloaded again, or pass --data ${folder} to use it as it is`,
    );
  }
  const docs = await readDocs(path);
  return { docs, file: { name: file.name, sha256, rows: docs.length }, published, downloaded };
}

async function fetchInto(path: string, file: PublishedFile, folder: string, source: DataSource): Promise<void> {
  const env = source.env ?? process.env;
  const base = source.baseUrl ?? (env["FUSECHECK_GSM8K_URL"] || HOME);
  const url = `${base.replace(/\/?$/, "/")}${file.name}`;
  try {
    await download({ url, path, file, fetch: source.fetch });
  } catch (error) {
    if (!(error instanceof DownloadFailure)) throw error;
    throw new UserError(
      `GSM8K's ${file.name} is not in the cache (${folder}) and could not be downloaded from ${url} (${error.message}): ` +
        `pass --data with a folder that holds ${TRAIN.name} and ${GSM8K_TEST.name}, or put the two files into ${folder}, ` +
        "or connect to the network; --task gsm_synth needs no files",
      { cause: error },
    );
  }
}

function provenance({ folder, given }: Place, splits: readonly Split[]): Provenance {
  const changed = splits.filter(({ published }) => !published).map(({ file }) => file.name);
  return {
    source: given ? "given" : splits.some(({ downloaded }) => downloaded) ? "download" : "cache",
    path: folder,
    published: changed.length === 0,
    files: splits.map(({ file }) => file),
    ...(changed.length > 0 && {
      note: `not the published GSM8K: ${changed.join(" and ")} in ${folder} differ from it`,
    }),
  };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
