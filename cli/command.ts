import type { InferredOptionTypes, Options } from "yargs";
import type { ExitCode } from "./exit-code.ts";

export type FlagTable = Readonly<Record<string, Options>>;

/**
 * One command of the program. Its file must stay light, because every command's flags are loaded for `--help`:
 * `handler` imports what is heavy, makes one library call and returns the exit code.
 */
export interface Command<Flags extends FlagTable> {
  readonly name: string;
  readonly describe: string;
  readonly flags: Flags;
  readonly examples?: readonly (readonly [commandLine: string, what: string])[];
  readonly handler: (flags: InferredOptionTypes<Flags>) => Promise<ExitCode>;
}

/** Declares a command; exists so that the handler's argument is inferred from the flags. */
export function defineCommand<const Flags extends FlagTable>(command: Command<Flags>): Command<Flags> {
  return command;
}
