/** Where a history lies: a SQLite file, or a PostgreSQL database. */
import type { Dialect, SqliteDatabase } from "kysely";
import { PostgresDialect, SqliteDialect } from "kysely";

/** How long another writer is waited for. A night's results are written in milliseconds. */
export const LOCK_WAIT_MS: number = 15_000;

export function isPostgres(place: string): boolean {
  return /^postgres(?:ql)?:\/\//i.test(place);
}

/** The address without its password: for messages. */
export function shownPlace(place: string): string {
  return place.replace(/^([a-z]+:\/\/[^/@:]*):[^/]*@/i, "$1:***@").replace(/([?&]password=)[^&]*/gi, "$1***");
}

/** Loaded when a history is opened: neither is light. */
export async function openDialect(place: string, lockWaitMs: number): Promise<Dialect> {
  return isPostgres(place) ? postgres(place, lockWaitMs) : sqlite(place, lockWaitMs);
}

async function postgres(connectionString: string, lockWaitMs: number): Promise<Dialect> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    connectionTimeoutMillis: LOCK_WAIT_MS,
    lock_timeout: lockWaitMs,
    application_name: "fusecheck",
  });
  // A connection that breaks also says so as an event that would end the process; whoever uses it is told anyway.
  pool.on("error", () => {});
  pool.on("connect", (client) => void client.on("error", () => {}));
  return new PostgresDialect({ pool });
}

async function sqlite(file: string, lockWaitMs: number): Promise<Dialect> {
  const { default: Database } = await import("libsql");
  return new SqliteDialect({
    // Opened at the first query, so that what fails is said in one place.
    database: () => {
      const database = new Database(file, { timeout: lockWaitMs });
      // A transaction that reads first and writes then would fail at once where another one writes in between. And
      // libsql never resets a prepared `begin` that found the database locked: no transaction would end after it.
      const control = (sql: string): ReturnType<SqliteDatabase["prepare"]> => ({
        reader: false,
        run: () => {
          database.exec(sql === "begin" ? "begin immediate" : sql);
          return { changes: 0, lastInsertRowid: 0 };
        },
        all: () => [],
        iterate: () => [].values(),
      });
      // Kept and used again: libsql frees a statement and its 7 KB only when the garbage collector comes to it, and then
      // takes seconds for the many of a large write.
      const statements = new Map<string, ReturnType<SqliteDatabase["prepare"]>>();
      const prepare = (sql: string): ReturnType<SqliteDatabase["prepare"]> => {
        if (/^(?:begin|commit|rollback)$/.test(sql)) return control(sql);
        const kept = statements.get(sql) ?? database.prepare(sql);
        statements.set(sql, kept);
        return kept;
      };
      return Promise.resolve({ prepare, close: () => void database.close() });
    },
  });
}
