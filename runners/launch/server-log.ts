/** A server's log: kept in a file, its last lines shown when something went wrong. */
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { UserError } from "../../errors.ts";
import { redactor } from "../openai/secrets.ts";

const SHOWN_LINES = 15;
const SHOWN_CHARACTERS = 300;

/** Enough for the lines that are shown, even of a log with progress bars. */
const READ_BYTES = 64 * 1024;

const SECRET_NAME = /(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$/i;

/** Shorter values are settings. */
const MIN_SECRET = 8;

export class ServerLog {
  readonly path: string;
  /** Where this start of the server begins in a file that others have written to. */
  readonly #from: number;
  readonly #redact: (text: string) => string;

  /**
   * @param env - the server's environment: what stands there under the name of a secret is never shown
   * @throws UserError when the file cannot be written
   */
  constructor(path: string, env: Readonly<Record<string, string>>) {
    this.path = path;
    const secrets = Object.entries(env).filter(([name, value]) => SECRET_NAME.test(name) && value.length >= MIN_SECRET);
    this.#redact = redactor(secrets.map(([, value]) => value));
    try {
      mkdirSync(dirname(path), { recursive: true });
      // Only for this user: servers log their arguments and, some of them, what they are asked.
      const file = openSync(path, "a", 0o600);
      this.#from = fstatSync(file).size;
      closeSync(file);
    } catch (cause) {
      throw new UserError(`cannot write the server's log: ${(cause as Error).message}`, { cause });
    }
  }

  note(text: string): void {
    appendFileSync(this.path, `[fusecheck] ${text}\n`);
  }

  /** The last lines, safe for a terminal: without escapes, control characters and secrets. */
  lastLines(most: number = SHOWN_LINES): string[] {
    const lines = this.#tail().split("\n");
    return lines
      .map((line) => stripVTControlCharacters(line.slice(line.lastIndexOf("\r", line.length - 2) + 1)))
      .map((line) => this.#redact(line.replaceAll(/[\p{Cc}\p{Cf}]/gu, " ").trimEnd()))
      .filter((line) => line !== "" && !line.startsWith("[fusecheck] "))
      .slice(-most)
      .map((line) => (line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}...` : line));
  }

  /** For the end of an error's message. */
  quote(): string {
    const lines = this.lastLines();
    if (lines.length === 0) return `its log is empty: ${this.path}`;
    return `the last lines of its log (${this.path}):\n${lines.map((line) => `  ${line}`).join("\n")}`;
  }

  #tail(): string {
    const file = openSync(this.path, "r");
    try {
      const { size } = fstatSync(file);
      const start = Math.max(this.#from, size - READ_BYTES);
      const bytes = Buffer.alloc(Math.max(0, size - start));
      const read = readSync(file, bytes, 0, bytes.length, start);
      const text = bytes.toString("utf8", 0, read);
      // A line that begins before what was read may begin inside a secret.
      return start === this.#from ? text : text.slice(text.indexOf("\n") + 1);
    } finally {
      closeSync(file);
    }
  }
}
