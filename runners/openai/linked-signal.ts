import { setMaxListeners } from "node:events";

/**
 * A signal that aborts with the first of the given ones, until it is released. `AbortSignal.any` has no release: on a
 * signal that lives as long as a run, every request would leave something behind.
 */
export function linkSignals(...sources: readonly AbortSignal[]): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  // One listener per request in flight, which is many but bounded: no sign of a leak.
  setMaxListeners(0, ...sources);
  const unlink: (() => void)[] = [];
  for (const source of sources) {
    const forward = (): void => controller.abort(source.reason);
    if (source.aborted) forward();
    source.addEventListener("abort", forward, { once: true });
    unlink.push(() => source.removeEventListener("abort", forward));
  }
  return {
    signal: controller.signal,
    release: () => {
      for (const each of unlink) each();
    },
  };
}
