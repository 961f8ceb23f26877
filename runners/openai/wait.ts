import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits. What ends it early is the signal.
 *
 * @throws the signal's reason
 */
export async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
}
