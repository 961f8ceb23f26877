/** Mismatches by where in its doc the token stands: decode steps, long contexts and first tokens fail in their own ways. */

/** Choices (a token in a layer) at the positions `from` up to, not including, `to`. */
export interface PositionBucket {
  readonly from: number;
  readonly to: number;
  readonly choices: number;
  /** The sum of the next three. */
  readonly mismatched: number;
  readonly nearTies: number;
  readonly downstream: number;
  readonly unexplained: number;
}

export type Cause = "nearTies" | "downstream" | "unexplained";

/** Buckets grow by a factor of two: 0, 1, 2 to 3, 4 to 7, ... */
const bucketOf = (position: number): number => (position === 0 ? 0 : Math.floor(Math.log2(position)) + 1);
const startOf = (bucket: number): number => (bucket === 0 ? 0 : 2 ** (bucket - 1));

export class PositionTally {
  readonly #tokens: number[] = [];
  readonly #causes: Record<Cause, number[]> = { nearTies: [], downstream: [], unexplained: [] };

  /** `count` tokens, the first of them at `position`. */
  addTokens(position: number, count: number): void {
    for (let at = position; at < position + count;) {
      const bucket = bucketOf(at);
      const next = Math.min(startOf(bucket + 1), position + count);
      this.#tokens[bucket] = (this.#tokens[bucket] ?? 0) + next - at;
      at = next;
    }
  }

  addMismatch(position: number, cause: Cause): void {
    const counts = this.#causes[cause];
    const bucket = bucketOf(position);
    counts[bucket] = (counts[bucket] ?? 0) + 1;
  }

  result(nLayers: number): PositionBucket[] {
    const buckets: PositionBucket[] = [];
    for (const [bucket, tokens = 0] of this.#tokens.entries()) {
      if (tokens === 0) continue;
      const of = (cause: Cause): number => this.#causes[cause][bucket] ?? 0;
      const causes = { nearTies: of("nearTies"), downstream: of("downstream"), unexplained: of("unexplained") };
      const mismatched = causes.nearTies + causes.downstream + causes.unexplained;
      buckets.push({
        from: startOf(bucket),
        to: startOf(bucket + 1),
        choices: tokens * nLayers,
        mismatched,
        ...causes,
      });
    }
    return buckets;
  }
}
