import type { Argv, InferredOptionTypes, Options } from "yargs";
import type { ExitCode } from "./exit-code.ts";

export type FlagTable = Readonly<Record<string, Options>>;

interface CommandDefinition<Flags extends FlagTable> {
  readonly name: string;
  readonly describe: string;
  readonly flags: Flags;
  readonly examples?: readonly (readonly [commandLine: string, what: string])[];
  readonly handler: (flags: InferredOptionTypes<Flags>) => Promise<ExitCode>;
}

/** One command of the program, its flags' types put away, so that commands can stand in one table. */
export interface Command {
  readonly name: string;
  readonly flags: FlagTable;
  /** The words of which one follows the command's name. Default: none does. */
  readonly words?: readonly string[];
  readonly addTo: (cli: Argv, done: (code: ExitCode) => void) => void;
}

/**
 * Declares a command. Its file must stay light, because every command's flags are loaded for `--help`: the handler
 * imports what is heavy, makes one library call and returns the exit code.
 */
export function defineCommand<Flags extends FlagTable>(definition: CommandDefinition<Flags>): Command {
  const { name, describe, flags, examples = [], handler } = definition;
  return {
    name,
    flags,
    addTo: (cli, done) => {
      cli.command(
        name,
        describe,
        (yargs) => yargs.options(flags).example(examples.map(([line, what]): [string, string] => [line, what])),
        // yargs types its arguments as the flags plus their camel-case twins, which TypeScript cannot see to be a subtype.
        async (given) => done(await handler(given as unknown as InferredOptionTypes<Flags>)),
      );
    },
  };
}
