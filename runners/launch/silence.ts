/**
 * Tells a server that hangs from one that is slow: a slow one gets on now and then. Pure; what feeds it is in
 * watch-server.ts.
 */

/** What can be seen of a server from its client. */
export interface Traffic {
  /** Requests that it has and has not answered. */
  readonly inFlight: number;
  /** Signs of work so far, of any request: pings are none. Only whether it changes matters. */
  readonly pieces: number;
}

export interface Silence {
  readonly pieces: number;
  readonly lookedAt: number;
  /** How long nothing has come while requests waited. */
  readonly ms: number;
}

export const NO_SILENCE: Silence = { pieces: 0, lookedAt: 0, ms: 0 };

/**
 * @param now - on a clock that never goes back, in milliseconds
 * @param mostMs - most that one look may add. Time in which nobody looked proves nothing: the client may have been stopped,
 *   or its machine asleep, with the answers waiting in its sockets
 */
export function look(before: Silence, { inFlight, pieces }: Traffic, now: number, mostMs: number): Silence {
  const passed = Math.min(now - before.lookedAt, mostMs);
  const quiet = inFlight > 0 && pieces === before.pieces && before.lookedAt > 0;
  return { pieces, lookedAt: now, ms: quiet ? before.ms + passed : 0 };
}
