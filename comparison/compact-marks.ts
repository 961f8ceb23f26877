/** All marks of a variant, in columns: a run may have a hundred thousand docs, and two variants are held at once. */
import type { Marked } from "../tasks/index.ts";

/** One doc's marks by filter name, for each doc that the engine gave an answer for. */
export interface MarksByDoc {
  readonly size: number;
  has(docId: number): boolean;
  get(docId: number): ReadonlyMap<string, Marked> | undefined;
  /** The docs' ids, rising. */
  keys(): Iterable<number>;
}

interface Column {
  readonly exactMatch: Uint8Array;
  readonly extracted: (string | null)[];
}

export class CompactMarks implements MarksByDoc {
  readonly #answered: Uint8Array;
  readonly #columns: ReadonlyMap<string, Column>;
  /** Answers to grade-school problems repeat themselves: each is held once. */
  readonly #texts: Map<string, string> = new Map();
  #size = 0;

  /** @param docs - doc ids are below it */
  constructor(filters: readonly string[], docs: number) {
    this.#answered = new Uint8Array(docs);
    this.#columns = new Map(filters.map((filter) => [filter, { exactMatch: new Uint8Array(docs), extracted: [] }]));
  }

  set(docId: number, marks: ReadonlyMap<string, Marked>): void {
    if (!this.has(docId)) this.#size += 1;
    this.#answered[docId] = 1;
    for (const [filter, { exactMatch, extracted }] of this.#columns) {
      const marked = marks.get(filter);
      exactMatch[docId] = marked?.exactMatch ?? 0;
      extracted[docId] = this.#once(marked?.extracted ?? null);
    }
  }

  #once(text: string | null): string | null {
    if (text === null) return null;
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }

  get size(): number {
    return this.#size;
  }

  has(docId: number): boolean {
    return this.#answered[docId] === 1;
  }

  *keys(): Generator<number> {
    for (const [docId, answered] of this.#answered.entries()) if (answered === 1) yield docId;
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
    return [...this.keys()].map((docId) => (column?.[docId] === 1 ? 1 : 0));
  }
}
