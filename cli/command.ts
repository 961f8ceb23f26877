import type { Argv, InferredOptionTypes, Options } from "yargs";
import type { ExitCode } from "./exit-code.ts";

export type FlagTable = Readonly<Record<string, Options>>;

/** A word that may follow a command's name. */
interface Word {
  /** `what`, or `files..` for all that are left. */
  readonly name: string;
  readonly describe: string;
}

interface CommandDefinition<Flags extends FlagTable> {
  readonly name: string;
  readonly describe: string;
  /** Words that may follow the name, in order. Default: none. */
  readonly words?: readonly Word[];
  readonly flags: Flags;
  readonly examples?: readonly (readonly [commandLine: string, what: string])[];
  readonly handler: (flags: InferredOptionTypes<Flags>, words: readonly string[]) => Promise<ExitCode>;
}

/** One command of the program, its flags' types put away, so that commands can stand in one table. */
export interface Command {
  readonly name: string;
  readonly flags: FlagTable;
  readonly addTo: (cli: Argv, done: (code: ExitCode) => void) => void;
}

/**
 * Declares a command. Its file must stay light, because every command's flags are loaded for `--help`: the handler
 * imports what is heavy, makes one library call and returns the exit code.
 */
export function defineCommand<Flags extends FlagTable>(definition: CommandDefinition<Flags>): Command {
  const { name, describe, words = [], flags, examples = [], handler } = definition;
  const keys = words.map((word) => word.name.replace("..", ""));
  return {
    name,
    flags,
    addTo: (cli, done) => {
      cli.command(
        [name, ...words.map((word) => `[${word.name}]`)].join(" "),
        describe,
        (yargs) => {
          for (const [index, word] of words.entries()) {
            yargs.positional(keys[index]!, { type: "string", describe: word.describe });
          }
          return yargs.options(flags).example(examples.map(([line, what]): [string, string] => [line, what]));
        },
        // yargs types its arguments as the flags plus their camel-case twins, which TypeScript cannot see to be a subtype.
        async (given) => {
          const said = keys.flatMap((key) => (given as Readonly<Record<string, string | string[]>>)[key] ?? []);
          done(await handler(given as unknown as InferredOptionTypes<Flags>, said));
        },
      );
    },
  };
}
