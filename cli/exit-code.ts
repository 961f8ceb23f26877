/** What the exit code of a command means. The numbers are part of the public contract. */
export const EXIT = {
  /** All that was asked for held. */
  held: 0,
  /** The variants differ: a regression, or routing parity broken. */
  regressed: 1,
  /** The user must fix something; one line on stderr says what. */
  usage: 2,
  /** Requests failed; the run can be resumed. */
  incomplete: 3,
  /** No decision was possible and the caller asked to be told. */
  inconclusive: 4,
  /** Ended by Ctrl-C: 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
