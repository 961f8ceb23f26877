/** All marks of a variant, in columns: a run may have a hundred thousand docs, and two variants are held at once. */
import type { Marked } from "../tasks/index.ts";

/** One doc's marks by filter name, for each doc that the engine gave an answer for, by rising id. */
export type MarksByDoc = Pick<ReadonlyMap<number, ReadonlyMap<string, Marked>>, "get" | "has" | "keys" | "size">;

export class CompactMarks implements MarksByDoc {
  readonly #docs: Set<number> = new Set();
  readonly #columns: ReadonlyMap<string, { readonly exactMatch: Uint8Array; readonly extracted: (string | null)[] }>;

  /** @param docs - doc ids are below it */
  constructor(filters: readonly string[], docs: number) {
    const column = (): { exactMatch: Uint8Array; extracted: (string | null)[] } => ({
      exactMatch: new Uint8Array(docs),
      extracted: [],
    });
    this.#columns = new Map(filters.map((filter) => [filter, column()]));
  }

  set(docId: number, marks: ReadonlyMap<string, Marked>): void {
    this.#docs.add(docId);
    for (const [filter, { exactMatch, extracted }] of this.#columns) {
      const marked = marks.get(filter);
      exactMatch[docId] = marked?.exactMatch ?? 0;
      extracted[docId] = marked?.extracted ?? null;
    }
  }

  get size(): number {
    return this.#docs.size;
  }

  has(docId: number): boolean {
    return this.#docs.has(docId);
  }

  keys(): MapIterator<number> {
    return this.#docs.keys();
  }

  get(docId: number): ReadonlyMap<string, Marked> | undefined {
    if (!this.has(docId)) return undefined;
    return new Map(
      [...this.#columns].map(([filter, { exactMatch, extracted }]) => [
        filter,
        { extracted: extracted[docId] ?? null, exactMatch: exactMatch[docId] === 1 ? 1 : 0 },
      ]),
    );
  }

  /** Under one filter, by rising doc id. */
  exactMatches(filter: string): (0 | 1)[] {
    const column = this.#columns.get(filter)?.exactMatch;
    return [...this.#docs].map((docId) => (column?.[docId] === 1 ? 1 : 0));
  }
}
