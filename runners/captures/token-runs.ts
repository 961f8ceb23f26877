/** Cuts a block of tokens into the docs that they belong to. */
import { UserError } from "../../errors.ts";
import type { CaptureFacts, CapturedTokenInfo } from "./capture-source.ts";

/** Tokens `start` up to, not including, `end` of a block. */
export interface DocStretch {
  readonly docId: number;
  readonly start: number;
  readonly end: number;
  /** Of its first token in the doc. */
  readonly position: number;
  /** False where it goes on with the doc that the block before ended in. */
  readonly begins: boolean;
}

/** Follows docs from block to block. Where a capture does not say which they are, all of it is doc 0. */
export class TokenRuns {
  readonly #facts: CaptureFacts;
  #doc: number | undefined;
  #nextPosition = 0;

  constructor(facts: CaptureFacts) {
    this.#facts = facts;
  }

  /**
   * @param first - the block's first token in the capture
   * @throws UserError where positions are no positions: what is downstream of what could not be told
   */
  cut(first: number, rows: number, { docIndex, position }: CapturedTokenInfo): DocStretch[] {
    const runs: DocStretch[] = [];
    for (let start = 0, end = 0; start < rows; start = end) {
      const docId = docIndex?.[start] ?? 0;
      const begins = docId !== this.#doc;
      if (begins) this.#nextPosition = docIndex === undefined ? 0 : (position?.[start] ?? 0);
      const from = this.#nextPosition;
      end = start;
      while (end < rows && (docIndex?.[end] ?? 0) === docId) {
        const here = docIndex === undefined ? this.#nextPosition : (position?.[end] ?? this.#nextPosition);
        if (here !== this.#nextPosition || here < 0) throw this.#gap(first + end, docId, here);
        end++;
        this.#nextPosition++;
      }
      this.#doc = docId;
      runs.push({ docId, start, end, position: from, begins });
    }
    return runs;
  }

  #gap(token: number, docId: number, position: number): UserError {
    const what = position < 0 ? "is below 0" : `follows position ${this.#nextPosition - 1}`;
    return new UserError(
      `${this.#facts.path}: token ${token} of doc ${docId}: position ${position} ${what}; ` +
        "a doc's tokens must stand together, in order and without gaps (see docs/captures.md)",
    );
  }
}
