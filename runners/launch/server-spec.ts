/** How to start a server. */
import type { Identify } from "./identity.ts";

export interface ServerSpec {
  /**
   * Words to run as they are, or a line that is split as a POSIX shell splits words. `{port}`, `{host}` and `{model}` in it,
   * in `args` and in the values of `env` are filled in.
   */
  readonly command: string | readonly string[];
  /** Run the line by `/bin/sh`, which expands variables, pipes and all else. Default: false. */
  readonly shell?: boolean;
  /** Put behind the command. */
  readonly args?: readonly string[];
  /** Over the process's environment; null takes a variable away, which is not the same as setting it to 0. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Default: the process's. */
  readonly cwd?: string;
  /** What `{model}` stands for. */
  readonly model?: string;
  /** Where the server listens. Default: 127.0.0.1. */
  readonly host?: string;
  /** Default: one that is free, found anew if it was taken in the meantime. */
  readonly port?: number;
  /** Answers when the server is up. Default: `/health`. */
  readonly healthPath?: string;
  /** How long the server may take until it is ready. Default: 30 minutes, as the engines' own tests allow it. */
  readonly startupMs?: number;
  /** Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** From the stop signal to SIGKILL. Default: 30 s. */
  readonly graceMs?: number;
  /** What identifies the server for the run record. Default: nothing. */
  readonly identify?: readonly Identify[];
}
