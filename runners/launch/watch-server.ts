/** Watches a server while a run asks it, and ends the run when there is nothing more to wait for. */
import { EngineLostError } from "../runner.ts";
import type { LaunchedServer } from "./launch-server.ts";
import { look, NO_SILENCE } from "./silence.ts";
import type { Traffic } from "./silence.ts";

export interface WatchOptions {
  /** Read every now and then: an openai runner's `traffic` is such. */
  readonly traffic: () => Traffic;
  /**
   * So long without a token of any answer, while requests wait, is a hang: pings that keep a connection open are none. It
   * must be longer than the longest prompt takes, and where answers are not streamed, than the longest of them.
   * Default: 10 minutes.
   */
  readonly hangMs?: number;
}

export interface ServerWatch {
  /** Aborts with an `EngineLostError`, which quotes the server's log, when the server dies or hangs. */
  readonly signal: AbortSignal;
  /** Ends the watch. The server is left as it is. */
  release(): void;
}

export const DEFAULT_HANG_MS = 600_000;

/** Looks per silence that counts as a hang: it is noticed so much too late at most. */
const LOOKS = 20;

export function watchServer(
  { died, log }: Pick<LaunchedServer, "died" | "log">,
  { traffic, hangMs = DEFAULT_HANG_MS }: WatchOptions,
): ServerWatch {
  const controller = new AbortController();
  const end = (error: EngineLostError): void => {
    clearInterval(timer);
    controller.abort(error);
  };
  const everyMs = hangMs / LOOKS;
  let silence = NO_SILENCE;
  const timer = setInterval(() => {
    const seen = traffic();
    silence = look(silence, seen, performance.now(), 2 * everyMs);
    if (silence.ms < hangMs) return;
    const waiting = `${seen.inFlight} request${seen.inFlight === 1 ? "" : "s"} waited`;
    end(new EngineLostError(`the server hangs: no token came for ${hangMs / 1000} s while ${waiting}; ${log.quote()}`));
  }, everyMs);
  timer.unref();
  let released = false;
  void died.then((error) => {
    if (!released) end(error);
  });
  return {
    signal: controller.signal,
    release: () => {
      released = true;
      clearInterval(timer);
    },
  };
}
