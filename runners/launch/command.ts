/** From a command as users write it to the words and the environment of a process. */
import { join, quote, split } from "shlex";
import { UserError } from "../../errors.ts";
import type { ServerSpec } from "./server-spec.ts";

export interface Places {
  readonly port: number;
  readonly host: string;
}

export interface Command {
  readonly argv: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UserError for a command that cannot be meant as it stands */
export function buildCommand(spec: ServerSpec, places: Places, environment: Environment): Command {
  const { command, shell = false, args = [], env = {}, model } = spec;
  const values: Readonly<Record<string, string | undefined>> = {
    port: String(places.port),
    host: places.host,
    model,
  };
  const fill = (text: string, write = (value: string): string => value): string =>
    text.replaceAll(/\{(port|host|model)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new UserError(`the launch command asks for {${name}}; give --${name}`);
      return write(value);
    });
  const extra = args.map((arg) => fill(arg));
  const filled = Object.entries(env).map(([name, value]) => [name, value === null ? undefined : fill(value)] as const);
  return {
    argv: shell
      ? ["/bin/sh", "-c", [fill(lineOf(command), quote), ...extra.map(quote)].join(" ")]
      : [...wordsOf(command).map((word) => fill(word)), ...extra],
    env: Object.fromEntries(
      Object.entries({ ...environment, ...Object.fromEntries(filled) }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    ),
  };
}

/** Whether the port can be chosen: nothing in a command without it would tell the server. */
export function takesPort({ command, args = [], env = {} }: ServerSpec): boolean {
  return [command, ...args, ...Object.values(env)].flat().some((text) => text?.includes("{port}"));
}

function lineOf(command: string | readonly string[]): string {
  return typeof command === "string" ? command : join(command);
}

function wordsOf(command: string | readonly string[]): readonly string[] {
  const words = typeof command === "string" ? splitLine(command) : command;
  if (words.length === 0 || words[0] === "") throw new UserError("the launch command is empty");
  return words;
}

/** Words that are nothing without a shell. As arguments, they can be given in a list of words. */
const SHELL_WORD = /^(?:&&?|\|\|?|;|\d?>{1,2}&?\d?.*|<.*)$|^\$\w|^\$[{(]|^`|^~\/|;$/;

function splitLine(line: string): string[] {
  let words: string[];
  try {
    words = split(line);
  } catch {
    throw new UserError(`the launch command has a quote that is never closed: ${line}`);
  }
  const [first = ""] = words;
  if (/^[A-Za-z_]\w*=/.test(first))
    throw new UserError(`the launch command begins with a variable, ${first.split("=")[0]}; put it under env instead`);
  const wrong = words.find((word) => SHELL_WORD.test(word));
  if (wrong !== undefined)
    throw new UserError(
      `the launch command has "${wrong}", which only a shell understands; set shell: true, or give the words as a list`,
    );
  return words;
}
