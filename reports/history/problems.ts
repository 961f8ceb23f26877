/** What can be wrong with a database, in one line: what, where, what to do. */
import { existsSync } from "node:fs";
import { EngineError, UserError } from "../../errors.ts";
import { isPostgres, shownPlace } from "./dialects.ts";

/** The run folders still hold everything: said where a write was lost. */
const AFTER_A_LOST_WRITE = "nothing was written; the run folders hold it all: fusecheck history add RUN adds it later";

/** Something about the database that will pass, or that whoever runs it must look at: exit code 3. */
export class HistoryLostError extends EngineError {
  override name = "HistoryLostError";
}

/** Which codes, what they mean, and whether the user must fix something or it may pass. */
type Problem = readonly [code: RegExp, what: string, kind: "user" | "lost"];

/** A file that was opened and is not in its place any more. */
const GONE = "SQLITE_READONLY_DBMOVED";

/** By SQLite's result code. */
const SQLITE: readonly Problem[] = [
  [/^SQLITE_READONLY_DBMOVED/, "is gone: its file was moved or deleted while it was in use", "lost"],
  [/^SQLITE_(BUSY|LOCKED)/, "is locked: another process does not let go of it; end that one, or try again", "lost"],
  [/^SQLITE_READONLY/, "is read-only: change its permissions, and its folder's, or choose another --history", "user"],
  [/^SQLITE_NOTADB/, "is no SQLite database: choose another --history", "user"],
  [/^SQLITE_CORRUPT/, "is damaged: restore a copy of it, or make a new one from the run folders", "user"],
  [/^SQLITE_FULL/, "cannot grow: the disk is full; free some space and try again", "lost"],
  [/^SQLITE_(IOERR|CANTOPEN)/, "cannot be read or written (is it still there, and its disk?)", "lost"],
  [/^SQLITE_PERM|^SQLITE_AUTH/, "may not be opened: change its permissions", "user"],
];

/** By PostgreSQL's SQLSTATE, or the system's code for a connection that failed. */
const POSTGRES: readonly Problem[] = [
  [/^28/, "refuses the user or the password: set PGUSER and PGPASSWORD, or put them into the URL's variable", "user"],
  [/^3D000/, "does not exist: create the database first (createdb)", "user"],
  [/^42501|^25006/, "may only be read by this user: grant it the right to write and create tables", "user"],
  [/^55P03/, "is locked: another process does not let go of it; end that one, or try again", "lost"],
  [/^53/, "is out of space, memory or connections: free some and try again", "lost"],
  [/^57P0|^08|^ECONNRESET|^EPIPE/, "broke the connection: is its server still running?", "lost"],
  [
    /^ECONNREFUSED|^ENOTFOUND|^EAI_|^EHOSTUNREACH|^ETIMEDOUT|^ENOENT/,
    "cannot be reached: check the address and that its server runs",
    "user",
  ],
  [/^40/, "was changed by another process at the same time: try again", "lost"],
];

/**
 * @param writing - something was to be written
 * @returns a `UserError` or `HistoryLostError`; what is no matter of the database as it is
 */
export function historyProblem(error: unknown, place: string, writing: boolean): unknown {
  if (error instanceof UserError || error instanceof EngineError || !(error instanceof Error)) return error;
  const shown = shownPlace(place);
  const code = codeOf(error, place);
  const [, what, kind] = (isPostgres(place) ? POSTGRES : SQLITE).find(([pattern]) => pattern.test(code)) ?? [];
  if (what === undefined) {
    if (!isDatabaseError(error, place, code)) return error;
    return new HistoryLostError(
      `the history ${shown} failed: ${error.message.replaceAll(/\s+/g, " ")}${writing ? `; ${AFTER_A_LOST_WRITE}` : ""}`,
      { cause: error },
    );
  }
  const message = `the history ${shown} ${what}${writing ? `; ${AFTER_A_LOST_WRITE}` : ""}`;
  return kind === "user" ? new UserError(message, { cause: error }) : new HistoryLostError(message, { cause: error });
}

function codeOf(error: Error, place: string): string {
  // Several addresses of a host were tried: the first tells.
  const of = error instanceof AggregateError && error.errors[0] instanceof Error ? error.errors[0] : error;
  if ("code" in of && typeof of.code === "string" && of.code !== "") {
    // libsql leaves out the code's extension, which would say so.
    return of.code === "SQLITE_READONLY" && !existsSync(place) ? GONE : of.code;
  }
  // libsql's words for a file that cannot be opened, and pg's for a connection that is gone or never came.
  if (/Unable to open connection to local database/.test(of.message)) return "SQLITE_CANTOPEN";
  if (/Connection terminated|client has encountered a connection error/i.test(of.message)) {
    return /timeout/.test(of.message) ? "ETIMEDOUT" : "ECONNRESET";
  }
  return /timeout exceeded when trying to connect/.test(of.message) ? "ETIMEDOUT" : "";
}

function isDatabaseError(error: Error, place: string, code: string): boolean {
  return isPostgres(place) ? code !== "" || "severity" in error : code.startsWith("SQLITE_");
}
