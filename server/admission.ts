/** How much may be on the server at a time: what the engine runs, and a queue of bounded length. */
import { ApiError } from "./api-error.ts";

/** Seconds, as `Retry-After` has it: a short answer is over in less. */
const RETRY_AFTER = "1";

export class Admission {
  /** Sequences that may be open, running or waiting. */
  readonly capacity: number;
  #open = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get open(): number {
    return this.#open;
  }

  /**
   * A request has come, its body unread: it counts as one sequence until it says otherwise.
   *
   * @throws ApiError 503 when the queue is full
   */
  enter(): Ticket {
    this.#take(1);
    let held = 1;
    return {
      resize: (sequences) => {
        if (sequences > this.capacity) {
          const most = `at most ${this.capacity} completions can be asked for in one request, not ${sequences}`;
          throw new ApiError(400, most, { param: "prompt" });
        }
        this.#take(sequences - held);
        held = sequences;
      },
      leave: () => {
        this.#open -= held;
        held = 0;
      },
    };
  }

  #take(sequences: number): void {
    if (this.#open + sequences > this.capacity) {
      const message = "the server is full: its queue has no room for this request; try again later";
      throw new ApiError(503, message, { code: "queue_full", headers: { "retry-after": RETRY_AFTER } });
    }
    this.#open += sequences;
  }
}

export interface Ticket {
  /** Counts as so many sequences from now on. ApiError when there is no room for them. */
  resize(sequences: number): void;
  /** May be called more than once. */
  leave(): void;
}
