/** A runner whose server is watched: when the watch ends, so does whatever waits for an answer, with the watch's reason. */
import { linkSignals } from "./openai/linked-signal.ts";
import type { Runner } from "./runner.ts";

export function watched(runner: Runner, watch: AbortSignal): Runner {
  const under = async <T>(caller: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const { signal, release } = linkSignals(caller, watch);
    try {
      return await ask(signal);
    } catch (error) {
      // A request that fails because its server has died is no failure of its own.
      throw watch.aborted && !caller.aborted ? watch.reason : error;
    } finally {
      release();
    }
  };
  return {
    ...runner,
    complete: (prompt, options, caller) => under(caller, (signal) => runner.complete(prompt, options, signal)),
    ...(runner.logprobs !== undefined && {
      logprobs: (prompt, request, caller) =>
        under(
          caller,
          (signal) => runner.logprobs?.(prompt, request, signal) as ReturnType<NonNullable<Runner["logprobs"]>>,
        ),
    }),
    ...(runner.score !== undefined && {
      score: (prompt, completion, caller) =>
        under(
          caller,
          (signal) => runner.score?.(prompt, completion, signal) as ReturnType<NonNullable<Runner["score"]>>,
        ),
    }),
  };
}
