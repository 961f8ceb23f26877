/** Where two variants' answers to the same docs first differ. */

/** The first difference of one doc's answers. */
export interface FirstDifference {
  readonly doc_id: number;
  /** Of the token (or character) in the completion, from 0. */
  readonly position: number;
  /** Token ids or characters; null where that variant's answer has ended. */
  readonly baseline: number | string | null;
  readonly fused: number | string | null;
}

export interface TextDivergence {
  /** Docs that both variants answered. */
  readonly docs: number;
  readonly diverged: number;
  readonly unit: "token" | "character";
  /** Of the docs that diverge, the position in the middle; null where none does. */
  readonly medianPosition: number | null;
  /** The first docs that diverge, by doc id. */
  readonly first: readonly FirstDifference[];
}

/** One doc's answer of one variant. */
export interface AnswerTokens {
  readonly text: string;
  readonly tokenIds?: readonly number[] | undefined;
}

/** Docs that diverge which are kept one by one. */
const LISTED = 10;

/** Compares answers doc by doc: by tokens where every answer's are known, else by characters. */
export class DivergenceTally {
  readonly #positions: Record<TextDivergence["unit"], number[]> = { token: [], character: [] };
  readonly #first: Record<TextDivergence["unit"], FirstDifference[]> = { token: [], character: [] };
  #docs = 0;
  #tokensKnown = true;

  add(docId: number, baseline: AnswerTokens, fused: AnswerTokens): void {
    this.#docs++;
    this.#note("character", docId, Array.from(baseline.text), Array.from(fused.text));
    if (baseline.tokenIds === undefined || fused.tokenIds === undefined) this.#tokensKnown = false;
    else this.#note("token", docId, baseline.tokenIds, fused.tokenIds);
  }

  result(): TextDivergence {
    const unit = this.#tokensKnown ? "token" : "character";
    const positions = this.#positions[unit].toSorted((a, b) => a - b);
    const { length } = positions;
    // Of an even number, the lower of the two in the middle: a position that there is.
    const medianPosition = positions[Math.max(0, Math.ceil(length / 2) - 1)] ?? null;
    return { docs: this.#docs, diverged: length, unit, medianPosition, first: this.#first[unit] };
  }

  #note<T extends number | string>(
    unit: TextDivergence["unit"],
    docId: number,
    a: readonly T[],
    b: readonly T[],
  ): void {
    const longest = Math.max(a.length, b.length);
    let position = 0;
    while (position < longest && a[position] === b[position]) position++;
    if (position === longest) return;
    this.#positions[unit].push(position);
    if (this.#first[unit].length >= LISTED) return;
    this.#first[unit].push({
      doc_id: docId,
      position,
      baseline: a[position] ?? null,
      fused: b[position] ?? null,
    });
  }
}
