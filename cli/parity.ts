import type { Argv, Options } from "yargs";
import type { Command } from "./command.ts";
import type { ExitCode } from "./exit-code.ts";
import { PARITY_CAPTURES_FLAGS, runParityCaptures } from "./parity-captures.ts";

/** One level of parity, a sub-word of the command. */
interface Level {
  readonly name: string;
  readonly flags: Readonly<Record<string, Options>>;
  readonly addTo: (cli: Argv, done: (code: ExitCode) => void) => void;
}

const captures: Level = {
  name: "captures",
  flags: PARITY_CAPTURES_FLAGS,
  addTo: (cli, done) => {
    cli.command(
      "captures <A> <B>",
      "two captures of the same tokens, token by token and layer by layer",
      (yargs) =>
        yargs
          .positional("A", { type: "string", demandOption: true, describe: "the capture to hold B against" })
          .positional("B", { type: "string", demandOption: true, describe: "the capture to judge" })
          .options(PARITY_CAPTURES_FLAGS)
          .example("$0 parity captures baseline/routing.safetensors fused/routing.safetensors", "of a run"),
      async (given) => done(await runParityCaptures(given.A, given.B, given)),
    );
  },
};

const LEVELS: readonly Level[] = [captures];

/** `fusecheck parity`: is the routing the same, level by level? */
export const parityCommand: Command = {
  name: "parity",
  words: LEVELS.map(({ name }) => name),
  flags: Object.assign({}, ...LEVELS.map(({ flags }) => flags)),
  addTo: (cli, done) => {
    cli.command("parity", "judge routing: captures", (yargs) => {
      for (const level of LEVELS) level.addTo(yargs, done);
      return yargs.demandCommand(
        1,
        `name what to judge: ${LEVELS.map(({ name }) => name).join(", ")}; see fusecheck parity --help`,
      );
    });
  },
};
