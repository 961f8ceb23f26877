/** How long a stretch of work has taken and will take. */
export interface Pace {
  /** Says how much is done by now; what the first call says was done before the clock started. */
  count(done: number): void;
  /** `12 s, 3 min left`; only the first where no pace is known yet, or nothing is left. */
  words(done: number, total: number): string[];
}

export function startPace(now: () => number = () => performance.now()): Pace {
  const begun = now();
  let before: number | undefined;
  return {
    count(done) {
      before ??= done;
    },
    words(done, total) {
      const seconds = (now() - begun) / 1000;
      const rate = (done - (before ?? done)) / seconds;
      const left = rate > 0 && done < total ? [`${duration((total - done) / rate)} left`] : [];
      return [duration(seconds), ...left];
    },
  };
}

/** Whole seconds, from two minutes on whole minutes. */
function duration(seconds: number): string {
  return seconds < 120 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
