/** The history of nights: finished runs, series by series, in a database that several runners may write to. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { Kysely, Migrator } from "kysely";
import { UserError } from "../../errors.ts";
import { fileProblem, makeFolder } from "../files.ts";
import type { JsonObject } from "../json.ts";
import { canonicalJson } from "../json.ts";
import { isPostgres, LOCK_WAIT_MS, openDialect, shownPlace } from "./dialects.ts";
import { MIGRATIONS } from "./migrations.ts";
import { historyProblem } from "./problems.ts";
import type { HistoryRun, HistoryScore } from "./record.ts";
import type { HistoryTables } from "./schema.ts";

/** One trend: the same question, asked of the same model on the same kind of engine, night after night. */
export interface Series {
  readonly id: string;
  readonly name: string;
  readonly model: string;
  readonly engine: string;
  readonly task: string;
  readonly task_version: number;
  readonly variant: string;
  readonly filter: string;
  readonly protocol: string;
  readonly level_from: string | null;
}

/** Which series are meant: those that agree with every member given. `name` is a series' name or its model. */
export interface SeriesQuery {
  readonly name?: string;
  readonly engine?: string;
  readonly task?: string;
  readonly variant?: string;
  readonly filter?: string;
}

export interface HistoryNight {
  readonly run: string;
  readonly created: string;
  readonly correct: number;
  readonly n: number;
  readonly complete: boolean;
}

export interface OpenHistoryOptions {
  /** A SQLite file that is not there is made. Default: true. */
  readonly create?: boolean;
  /** How long another process that holds the database is waited for. Default: 15,000. */
  readonly lockWaitMs?: number;
}

/**
 * Opens a history, makes its tables where there are none, and brings an older one up to date.
 *
 * @param place - a SQLite file, or `postgres://...`
 * @throws UserError where there is no history, it is of a newer fusecheck or not fit to be one; HistoryLostError
 */
export async function openHistory(place: string, options: OpenHistoryOptions = {}): Promise<History> {
  const { create = true, lockWaitMs = LOCK_WAIT_MS } = options;
  if (!isPostgres(place)) {
    if (/^[a-z]+:\/\//i.test(place))
      throw new UserError(`--history takes a file, or postgres://..., not ${shownPlace(place)}`);
    if (!existsSync(place)) {
      if (!create) throw new UserError(`there is no history ${place}: fusecheck history add RUN makes one`);
      await makeFolder(dirname(place)).catch((error: unknown) => {
        throw fileProblem(error, dirname(place), "cannot create");
      });
    }
  }
  const db = new Kysely<HistoryTables>({ dialect: await openDialect(place, lockWaitMs) });
  try {
    await bringUpToDate(db, place);
    return new History(db, place);
  } catch (error) {
    await db.destroy().catch(() => {});
    throw historyProblem(error, place, false);
  }
}

const MIGRATION_TABLE = "fusecheck_migrations";

async function bringUpToDate(db: Kysely<HistoryTables>, place: string): Promise<void> {
  const done = await migrationsOf(db);
  const unknown = done.find((name) => !Object.hasOwn(MIGRATIONS, name));
  if (unknown !== undefined) {
    throw new UserError(
      `the history ${shownPlace(place)} was written by a newer fusecheck (its schema has ${unknown}): update fusecheck, or choose another --history`,
    );
  }
  // Nothing is written into one that is up to date: it may be read-only.
  if (Object.keys(MIGRATIONS).every((name) => done.includes(name))) return;
  if (!isPostgres(place)) return migrateAlone(db);
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) },
    migrationTableName: MIGRATION_TABLE,
    migrationLockTableName: `${MIGRATION_TABLE}_lock`,
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/**
 * As the migrator does, which takes no lock in SQLite and writes step by step: here whoever comes second waits, and a process
 * that is killed leaves nothing half-made.
 */
async function migrateAlone(db: Kysely<HistoryTables>): Promise<void> {
  await db.transaction().execute(async (change) => {
    await change.schema
      .createTable(MIGRATION_TABLE)
      .ifNotExists()
      .addColumn("name", "varchar(255)", (column) => column.notNull().primaryKey())
      .addColumn("timestamp", "varchar(255)", (column) => column.notNull())
      .execute();
    const steps = change as unknown as Kysely<Record<typeof MIGRATION_TABLE, { name: string; timestamp: string }>>;
    const done = new Set((await steps.selectFrom(MIGRATION_TABLE).select("name").execute()).map(({ name }) => name));
    for (const [name, migration] of Object.entries(MIGRATIONS).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      if (done.has(name)) continue;
      await migration.up(change);
      await steps.insertInto(MIGRATION_TABLE).values({ name, timestamp: new Date().toISOString() }).execute();
    }
  });
}

async function migrationsOf(db: Kysely<HistoryTables>): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some(({ name }) => name === MIGRATION_TABLE)) {
    const foreign = tables.find(({ name }) => ["runs", "series", "scores"].includes(name));
    if (foreign === undefined) return [];
    throw new UserError(`the database has a table "${foreign.name}" that is not fusecheck's: choose another --history`);
  }
  const rows = await (db as unknown as Kysely<Record<string, { name: string }>>)
    .selectFrom(MIGRATION_TABLE)
    .select("name")
    .execute();
  return rows.map(({ name }) => name);
}

export class History {
  readonly place: string;
  readonly #db: Kysely<HistoryTables>;

  /** Use `openHistory`. */
  constructor(db: Kysely<HistoryTables>, place: string) {
    this.#db = db;
    this.place = place;
  }

  /**
   * Adds runs, all of them or none. A run that is there already is replaced by what it has become since: adding twice
   * changes nothing.
   */
  async add(runs: readonly HistoryRun[]): Promise<void> {
    await this.#try(true, async () => {
      await this.#db.transaction().execute(async (change) => {
        // Always in the same order: two writers of PostgreSQL then never wait for each other.
        for (const run of runs.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
          const { id, created, night, folder, facts } = run;
          const complete = Number(run.complete);
          const row = { created, night, folder, complete, held: Number(run.held), facts: canonicalJson(facts) };
          await change
            .insertInto("runs")
            .values({ id, ...row })
            .onConflict((conflict) => conflict.column("id").doUpdateSet(row))
            .execute();
          await change.deleteFrom("scores").where("run", "=", id).execute();
          for (const { series, score } of run.scores
            .map((each) => ({ score: each, series: seriesOf(run, each) }))
            .toSorted((a, b) => (a.series.id < b.series.id ? -1 : 1))) {
            await change
              .insertInto("series")
              .values(series)
              .onConflict((conflict) => conflict.column("id").doNothing())
              .execute();
            const { correct, n } = score;
            await change
              .insertInto("scores")
              .values({ series: series.id, run: id, created, correct, n, complete })
              .execute();
          }
        }
      });
    });
  }

  /** By name, task, engine, variant and filter. */
  async series(query: SeriesQuery = {}): Promise<readonly Series[]> {
    const { name, ...exact } = query;
    return this.#try(false, async () => {
      let select = this.#db.selectFrom("series").selectAll();
      if (name !== undefined) select = select.where((is) => is.or([is("name", "=", name), is("model", "=", name)]));
      for (const [column, value] of Object.entries(exact) as [keyof typeof exact, string | undefined][])
        if (value !== undefined) select = select.where(column, "=", value);
      return select
        .orderBy("name")
        .orderBy("task")
        .orderBy("engine")
        .orderBy("variant")
        .orderBy("filter")
        .orderBy("protocol")
        .execute();
    });
  }

  /** A series' nights, oldest first; from `level_from` on where that is set and `all` is not. */
  async nights(
    { id, level_from: from }: Series,
    { all = false }: { readonly all?: boolean } = {},
  ): Promise<readonly HistoryNight[]> {
    return this.#try(false, async () => {
      let select = this.#db
        .selectFrom("scores")
        .select(["run", "created", "correct", "n", "complete"])
        .where("series", "=", id);
      if (from !== null && !all) select = select.where("created", ">=", from);
      const rows = await select.orderBy("created").orderBy("run").execute();
      return rows.map(({ run, created, correct, n, complete }) => ({
        run,
        created,
        correct,
        n,
        complete: complete === 1,
      }));
    });
  }

  /** Where a run's folder was, which night it was of, and what could explain a change. */
  async run(
    id: string,
  ): Promise<{ readonly folder: string; readonly night: string | null; readonly facts: JsonObject }> {
    return this.#try(false, async () => {
      const row = await this.#db
        .selectFrom("runs")
        .select(["folder", "night", "facts"])
        .where("id", "=", id)
        .executeTakeFirst();
      if (row === undefined) throw new UserError(`there is no run ${id} in the history ${shownPlace(this.place)}`);
      return { ...row, facts: JSON.parse(row.facts) as JsonObject };
    });
  }

  /** From here on the level of these series is taken from nights since `created`. */
  async acceptLevel(series: readonly Series[], created: string): Promise<void> {
    await this.#try(true, async () => {
      const ids = series.map(({ id }) => id);
      await this.#db.transaction().execute(async (change) => {
        await change.updateTable("series").set({ level_from: created }).where("id", "in", ids).execute();
      });
    });
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }

  async #try<T>(writing: boolean, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw historyProblem(error, this.place, writing);
    }
  }
}

function seriesOf(run: HistoryRun, { variant, filter }: HistoryScore): Omit<Series, "level_from"> {
  const { name, model, engine, task, task_version, protocol } = run;
  const key = { name, model, engine, task, task_version, variant, filter, protocol };
  return { id: createHash("sha256").update(canonicalJson(key)).digest("hex").slice(0, 24), ...key };
}
