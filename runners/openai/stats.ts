/** What the runner has done so far. */
import type { FailureKind } from "./failure.ts";

export interface RequestStats {
  requests: number;
  answered: number;
  /** Ended without an answer. */
  failed: number;
  retries: number;
  /** Attempts that the server has and has not yet dealt with. */
  inFlight: number;
  /** Pieces of responses so far, of any request: while requests are in flight, a server that works sends some. */
  pieces: number;
  /** Answers cut at the token limit: where there are many, the limit is too low. */
  cutAtMaxTokens: number;
  /** Attempts that gave no answer, by what happened. */
  readonly failures: Map<FailureKind, number>;
}

export function emptyStats(): RequestStats {
  return {
    requests: 0,
    answered: 0,
    failed: 0,
    retries: 0,
    inFlight: 0,
    pieces: 0,
    cutAtMaxTokens: 0,
    failures: new Map(),
  };
}
