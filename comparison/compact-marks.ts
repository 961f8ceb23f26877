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
  /** Places in the list of texts. */
  readonly extracted: Uint32Array;
}

export class CompactMarks implements MarksByDoc {
  readonly #answered: Uint8Array;
  readonly #columns: ReadonlyMap<string, Column>;
  /** Answers to grade-school problems repeat themselves: each is held once. */
  readonly #texts: (string | null)[] = [null];
  readonly #places: Map<string | null, number> = new Map([[null, 0]]);
  #size = 0;

  /** @param docs - doc ids are below it */
  constructor(filters: readonly string[], docs: number) {
    this.#answered = new Uint8Array(docs);
    const column = (): Column => ({ exactMatch: new Uint8Array(docs), extracted: new Uint32Array(docs) });
    this.#columns = new Map(filters.map((filter) => [filter, column()]));
  }

  set(docId: number, marks: ReadonlyMap<string, Marked>): void {
    if (!this.has(docId)) this.#size += 1;
    this.#answered[docId] = 1;
    for (const [filter, { exactMatch, extracted }] of this.#columns) {
      const marked = marks.get(filter);
      exactMatch[docId] = marked?.exactMatch ?? 0;
      extracted[docId] = this.#placeOf(marked?.extracted ?? null);
    }
  }

  #placeOf(text: string | null): number {
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    // Cut out of an answer, it would keep the whole of it in the memory.
    const own = text === null ? null : Buffer.from(text, "utf16le").toString("utf16le");
    const place = this.#texts.push(own) - 1;
    this.#places.set(own, place);
    return place;
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
        { extracted: this.#texts[extracted[docId] as number] ?? null, exactMatch: exactMatch[docId] === 1 ? 1 : 0 },
      ]),
    );
  }

  /** Under one filter, by rising doc id. */
  exactMatches(filter: string): Uint8Array {
    const column = this.#columns.get(filter)?.exactMatch;
    return (column ?? new Uint8Array()).filter((_, docId) => this.has(docId));
  }
}
