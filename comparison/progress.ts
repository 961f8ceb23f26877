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
