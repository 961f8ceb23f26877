/** A task's docs, ready to be asked, and where they came from. */
import type { Doc } from "../doc.ts";

/** Docs that examples are taken from; `at` takes 0 to `size - 1`. */
export interface FewshotPool {
  readonly size: number;
  readonly at: (index: number) => Doc;
}

export interface DataFile {
  readonly name: string;
  readonly sha256: string;
  readonly rows: number;
}

/** For the run record: which docs were asked, so that two runs can be told to be comparable. */
export interface Provenance {
  /** `given`: a folder named by the user. */
  readonly source: "given" | "cache" | "download" | "generated";
  /** The folder, where there is one. */
  readonly path?: string;
  /** The docs are exactly the published ones: every file has the published SHA-256, or they were generated. */
  readonly published: boolean;
  readonly files: readonly DataFile[];
  /** What a reader of the numbers must know. */
  readonly note?: string;
}

export interface TaskData {
  /** Docs of the evaluated split; of a task that generates them without end, how many are asked by default. */
  readonly total: number;
  /** The evaluated docs in order, the first `limit` of them; a task that generates its docs makes as many as wanted. */
  readonly docs: (limit?: number) => Iterable<Doc>;
  /** The evaluated doc at a position, from 0; undefined where there is none. */
  readonly doc: (docId: number) => Doc | undefined;
  readonly fewshotPool: FewshotPool;
  readonly provenance: Provenance;
}

/** Task data over docs that are all in memory. */
export function listedData(docs: readonly Doc[], pool: readonly Doc[], provenance: Provenance): TaskData {
  return {
    total: docs.length,
    docs: (limit) => docs.slice(0, limit),
    doc: (docId) => docs[docId],
    fewshotPool: listedPool(pool),
    provenance,
  };
}

function listedPool(docs: readonly Doc[]): FewshotPool {
  return {
    size: docs.length,
    at: (index) => {
      const doc = docs[index];
      if (doc === undefined) throw new RangeError(`example ${index} of ${docs.length}`);
      return doc;
    },
  };
}
