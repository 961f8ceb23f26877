/** How a run tells whoever is watching what it is at. */
export interface ProgressState {
  readonly done: number;
  readonly total: number;
  /** Short facts beside the bar, such as `exact match 0.87`. */
  readonly facts: readonly string[];
}

export interface Progress {
  /** A stretch of work begins; the returned function is called as it goes on. */
  start(name: string): (state: ProgressState) => void;
  /** The current stretch has ended. */
  end(): void;
  /** Something to know once, such as what is being waited for. */
  note(text: string): void;
}

/** Several stretches at the same time, shown as one: what each is at, with the sum of their work. */
export function progressTogether(progress: Progress): (name: string) => Progress {
  const states = new Map<string, ProgressState>();
  let shown: ((state: ProgressState) => void) | undefined;
  let open = 0;
  const update = (): void => {
    const all = [...states];
    const sum = (of: "done" | "total"): number => all.reduce((total, [, state]) => total + state[of], 0);
    const facts = all.map(([name, state]) => [name, ...state.facts].join(" "));
    shown?.({ done: sum("done"), total: sum("total"), facts });
  };
  return (name) => ({
    start() {
      open += 1;
      shown ??= progress.start("both variants");
      return (state) => {
        states.set(name, state);
        update();
      };
    },
    end() {
      open -= 1;
      if (open > 0) return;
      progress.end();
      shown = undefined;
    },
    note: (text) => progress.note(text),
  });
}
