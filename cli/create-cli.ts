/** The program: a table of commands, strict flags, and one place where an error becomes one line and an exit code. */
import yargs from "yargs";
import packageJson from "../package.json" with { type: "json" };
import { UserError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { Command } from "./command.ts";
import { evalCommand } from "./eval.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { promptsCommand } from "./prompts.ts";
import { scoreCommand } from "./score.ts";

const COMMANDS: readonly Command[] = [evalCommand, promptsCommand, scoreCommand];

/** Names behind yargs' message about flags that it does not know. */
function unknownFlags(message: string): string[] {
  const list = /^Unknown arguments?: (.*)$/s.exec(message)?.[1];
  return list === undefined ? [] : list.split(", ");
}

function describeMisuse(message: string, args: readonly string[]): string {
  const command = COMMANDS.find(({ name }) => name === args[0]);
  if (command === undefined && args[0] !== undefined && !args[0].startsWith("-")) {
    const names = COMMANDS.map(({ name }) => name);
    return `unknown command "${args[0]}"${didYouMean(args[0], names)}; there are: ${names.join(", ")}`;
  }
  const unknown = unknownFlags(message);
  if (unknown.length === 0) return message.replaceAll("\n", " ");
  const known = Object.keys(command?.flags ?? {});
  const shown = unknown.map((name) => {
    const meant = nearest(name, known);
    return args.some((arg) => arg.startsWith(`--${name}`))
      ? `unknown flag --${name}${meant === undefined ? "" : ` (did you mean --${meant}?)`}`
      : `unexpected argument "${name}"`;
  });
  return `${shown.join(", ")}; see fusecheck ${command?.name ?? ""} --help`;
}

/** yargs' own errors, and those of our coercions, which it wraps: the command line is at fault, not the program. */
function isMisuse(error: unknown): boolean {
  return error === undefined || error === null || (error instanceof Error && error.name === "YError");
}

/**
 * Runs one command line.
 *
 * @param args - without node and the script
 * @returns the process's exit code; errors have been printed to stderr by then
 */
export async function runCli(args: readonly string[]): Promise<number> {
  let exitCode: ExitCode = EXIT.held;
  const cli = yargs(args as string[])
    .scriptName("fusecheck")
    .usage(
      "$0 <command>\n\nIs a mixture-of-experts engine with fused routing kernels still right, and how much faster is it?",
    )
    .parserConfiguration({ "dot-notation": false, "strip-aliased": true })
    .strict()
    .demandCommand(1, 1, "name a command; see fusecheck --help", "one command at a time; see fusecheck --help")
    .version(packageJson.version)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw isMisuse(error) ? new UserError(describeMisuse(message, args)) : error;
    });
  for (const command of COMMANDS) {
    command.addTo(cli, (code) => {
      exitCode = code;
    });
  }
  try {
    await cli.parseAsync();
    return exitCode;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): ExitCode {
  if (error instanceof UserError) {
    process.stderr.write(`fusecheck: ${error.message}\n`);
    return EXIT.usage;
  }
  // Anything else is a defect of fusecheck or of an engine: whoever reports it needs the stack.
  process.stderr.write(`fusecheck: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.incomplete;
}
