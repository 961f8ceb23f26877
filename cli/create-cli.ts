/** The program: a table of commands, strict flags, and one place where an error becomes one line and an exit code. */
import yargs from "yargs";
import { EngineError, UserError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { VERSION } from "../version.ts";
import { captureCommand } from "./capture.ts";
import type { Command } from "./command.ts";
import { evalCommand } from "./eval.ts";
import { EXIT } from "./exit-code.ts";
import type { ExitCode } from "./exit-code.ts";
import { historyCommand } from "./history.ts";
import { mergeCommand } from "./merge.ts";
import { nightlyCommand } from "./nightly.ts";
import { parityCommand } from "./parity.ts";
import { promptsCommand } from "./prompts.ts";
import { scoreCommand } from "./score.ts";
import { serveCommand } from "./serve.ts";

const COMMANDS: readonly Command[] = [
  captureCommand,
  evalCommand,
  historyCommand,
  mergeCommand,
  nightlyCommand,
  parityCommand,
  promptsCommand,
  scoreCommand,
  serveCommand,
];

/** The names that yargs lists behind one of its messages; none where it says something else. */
function namesBehind(start: RegExp, message: string): string[] {
  const [found] = start.exec(message) ?? [];
  return found === undefined ? [] : message.slice(found.length).split(", ");
}

function describeMisuse(message: string, args: readonly string[]): string {
  const command = COMMANDS.find(({ name }) => name === args[0]);
  if (command === undefined && args[0] !== undefined && !args[0].startsWith("-")) {
    const names = COMMANDS.map(({ name }) => name);
    return `unknown command "${args[0]}"${didYouMean(args[0], names)}; there are: ${names.join(", ")}`;
  }
  const help = `see fusecheck ${command?.name ?? ""} --help`;
  const missing = namesBehind(/^Missing required arguments?: /, message);
  if (missing.length > 0) return `${missing.map((name) => `--${name}`).join(" and ")} must be given; ${help}`;
  const [valueless] = namesBehind(/^Not enough arguments following: /, message);
  if (valueless !== undefined) {
    const next = args[args.indexOf(`--${valueless}`) + 1];
    const dashed =
      next?.startsWith("-") === true ? ` (one that begins with a dash goes behind "=": --${valueless}="...")` : "";
    return `--${valueless} needs a value${dashed}; ${help}`;
  }
  const unknown = namesBehind(/^Unknown arguments?: /, message);
  if (unknown.length === 0) return message.replaceAll("\n", " ");
  const known = Object.keys(command?.flags ?? {});
  const shown = unknown.map((name) => {
    const meant = nearest(name, known);
    return args.some((arg) => arg.startsWith(`--${name}`))
      ? `unknown flag --${name}${meant === undefined ? "" : ` (did you mean --${meant}?)`}`
      : `unexpected argument "${name}"`;
  });
  return `${shown.join(", ")}; ${help}`;
}

/**
 * What yargs lets through: it takes `--fused=yes` for `false`, so that a switch would be off that the user meant to be on;
 * it makes an array of a switch given twice; and it puts away what follows `--`.
 */
function checkSwitches(args: readonly string[]): void {
  const flags = COMMANDS.find(({ name }) => name === args[0])?.flags ?? {};
  const given = new Set<string>();
  for (const arg of args) {
    if (arg === "--") throw new UserError(`unexpected argument "--"; see fusecheck ${args[0]} --help`);
    const [, name = "", value = "true"] = /^--(?:no-)?([\w-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (!Object.hasOwn(flags, name) || flags[name]?.type !== "boolean") continue;
    if (!/^(?:true|false)$/.test(value)) {
      throw new UserError(`--${name} takes no value but true or false, not "${value}"`);
    }
    if (given.has(name)) throw new UserError(`--${name} was given more than once; give it once`);
    given.add(name);
  }
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
    .updateStrings({ string: "value", boolean: "switch" })
    .strict()
    .demandCommand(1, 1, "name a command; see fusecheck --help", "one command at a time; see fusecheck --help")
    .version(VERSION)
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
    checkSwitches(args);
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
  if (error instanceof EngineError) {
    process.stderr.write(`fusecheck: ${error.message}\n`);
    return EXIT.incomplete;
  }
  // Anything else is a defect of fusecheck: whoever reports it needs the stack.
  process.stderr.write(`fusecheck: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.incomplete;
}
