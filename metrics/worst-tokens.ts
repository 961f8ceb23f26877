/**
 * The tokens whose routing differs most, each with the worst of its layers. In this order: a mismatch that nothing explains;
 * a weight beyond the tolerance; a near-tie; a mismatch downstream of one. Among these, whose weight went to other experts
 * most comes first, and then who comes first in the docs.
 */
import { findId } from "./expert-sets.ts";
import type { LayerRows } from "./layer-tally.ts";
import type { Cause } from "./position-tally.ts";
import { placeOrder } from "./routing-result.ts";
import type { Divergence } from "./routing-result.ts";

/** What is wrong with a choice: other experts, by cause, or (`weights`) the same ones with other weights. */
export type Difference = Cause | "weights";

const ORDER: readonly Difference[] = ["unexplained", "weights", "nearTies", "downstream"];

/** One token's choice in one layer, as one variant made it. */
export interface ShownChoice {
  /** The first `EXPERTS_SHOWN` of them, in the engine's order. */
  readonly ids: readonly number[];
  /** Of these; null where there are none. One that is not finite is null, too. */
  readonly weights: readonly (number | null)[] | null;
  /** Null where there is none, or none that is finite. */
  readonly margin: number | null;
}

export interface WorstToken extends Divergence {
  readonly cause: Difference;
  /** Experts that the one variant chose and the other did not. */
  readonly swapped: number;
  /** Half the sum over all experts of how far the two weights differ; null without weights, or where one is not finite. */
  readonly weightMoved: number | null;
  readonly baseline: ShownChoice;
  readonly fused: ShownChoice;
}

/** A choice that differs, while it is compared; row `row` of both. */
export interface DifferingChoice extends Divergence {
  readonly cause: Difference;
  readonly swapped: number;
  readonly a: LayerRows;
  readonly b: LayerRows;
  readonly row: number;
}

const TOKENS_KEPT = 10;
/** More than any model of today routes a token to. */
const EXPERTS_SHOWN = 64;

interface Kept {
  readonly token: WorstToken;
  /** What it is ordered by inside its cause; larger is worse. */
  readonly badness: number;
}

export class WorstTokens {
  readonly #k: number;
  #kept: readonly Kept[] = [];

  constructor(k: number) {
    this.#k = k;
  }

  add(choice: DifferingChoice): void {
    const last = this.#kept.at(-1);
    // Most of what differs is downstream of something: it must cost nothing.
    if (this.#kept.length === TOKENS_KEPT && last !== undefined && rank(choice) > rank(last.token)) return;
    const { doc_id, position, layer, cause, swapped, a, b, row } = choice;
    const moved = this.#weightMoved(a, b, row);
    const own: Kept = {
      token: {
        doc_id,
        position,
        layer,
        cause,
        swapped,
        weightMoved: finite(moved),
        baseline: this.#shown(a, row),
        fused: this.#shown(b, row),
      },
      badness: moved === undefined ? swapped : Number.isNaN(moved) ? Infinity : moved,
    };
    const isSame = ({ token }: Kept): boolean => token.doc_id === doc_id && token.position === position;
    const before = this.#kept.find(isSame);
    const worse = before !== undefined && worstFirst(before, own) <= 0 ? before : own;
    const others = this.#kept.filter((kept) => !isSame(kept));
    this.#kept = [...others, worse].toSorted(worstFirst).slice(0, TOKENS_KEPT);
  }

  /** Worst first. */
  result(): WorstToken[] {
    return this.#kept.map(({ token }) => token);
  }

  /** Undefined where not both have weights. */
  #weightMoved(
    { ids: ofA, weights: a }: LayerRows,
    { ids: ofB, weights: b }: LayerRows,
    row: number,
  ): number | undefined {
    if (a === undefined || b === undefined) return undefined;
    const start = row * this.#k;
    let moved = 0;
    for (let slot = start; slot < start + this.#k; slot++) {
      const [inB, inA] = [findId(ofB, ofA[slot]!, start, this.#k), findId(ofA, ofB[slot]!, start, this.#k)];
      moved += Math.abs(a[slot]! - (inB < 0 ? 0 : b[inB]!));
      if (inA < 0) moved += Math.abs(b[slot]!);
    }
    return moved / 2;
  }

  #shown({ ids, weights, margins }: LayerRows, row: number): ShownChoice {
    const slots = Array.from({ length: Math.min(this.#k, EXPERTS_SHOWN) }, (_, slot) => row * this.#k + slot);
    return {
      ids: slots.map((slot) => ids[slot]!),
      weights: weights === undefined ? null : slots.map((slot) => finite(weights[slot])),
      margin: finite(margins?.[row]),
    };
  }
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}

function rank({ cause }: { readonly cause: Difference }): number {
  return ORDER.indexOf(cause);
}

function worstFirst(a: Kept, b: Kept): number {
  // Two infinities are equal; subtracting them would be NaN.
  const badness = a.badness === b.badness ? 0 : b.badness - a.badness;
  return rank(a.token) - rank(b.token) || badness || placeOrder(a.token, b.token);
}
