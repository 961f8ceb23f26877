/** What the runner has done so far. */
import type { FailureKind } from "./failure.ts";

/** What tells a server that hangs from one that is slow. */
export interface Traffic {
  /** Attempts that the server has and has not yet dealt with. */
  inFlight: number;
  /**
   * Signs of work so far, of any request: a piece of an answer in one, or of a stream with a token in it. Pings and
   * events without a token are none: a server whose engine has died goes on sending them.
   */
  pieces: number;
}

export interface RequestStats extends Traffic {
  requests: number;
  answered: number;
  /** Ended without an answer. */
  failed: number;
  retries: number;
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
