/** The two kinds of database that a history may lie in. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "./postgres-server.ts";

/** Gives out new, empty places until it is stopped. */
export interface Places {
  readonly place: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

export function sqlitePlaces(): Promise<Places> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-history-"));
  let files = 0;
  return Promise.resolve({
    place: () => {
      files += 1;
      return Promise.resolve(join(folder, `${files}.db`));
    },
    stop: () => Promise.resolve(rmSync(folder, { recursive: true, force: true })),
  });
}

async function postgresPlaces(): Promise<Places> {
  const { database, stop } = await startPostgres();
  return { place: database, stop };
}

export const PLACES: Readonly<Record<"SQLite" | "PostgreSQL", () => Promise<Places>>> = {
  SQLite: sqlitePlaces,
  PostgreSQL: postgresPlaces,
};
