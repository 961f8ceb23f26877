/**
 * How the schema came to be, step by step: what stands here is in databases that people have and never changes; what is
 * new is a new step. In SQL that SQLite and PostgreSQL both take.
 */
import type { Kysely, Migration } from "kysely";

export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "001_first": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("series")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("model", "text", (column) => column.notNull())
        .addColumn("engine", "text", (column) => column.notNull())
        .addColumn("task", "text", (column) => column.notNull())
        .addColumn("task_version", "integer", (column) => column.notNull())
        .addColumn("variant", "text", (column) => column.notNull())
        .addColumn("filter", "text", (column) => column.notNull())
        .addColumn("protocol", "text", (column) => column.notNull())
        .addColumn("level_from", "text")
        .execute();
      await db.schema
        .createTable("runs")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("created", "text", (column) => column.notNull())
        .addColumn("night", "text")
        .addColumn("folder", "text", (column) => column.notNull())
        .addColumn("complete", "integer", (column) => column.notNull())
        .addColumn("held", "integer", (column) => column.notNull())
        .addColumn("facts", "text", (column) => column.notNull())
        .execute();
      await db.schema
        .createTable("scores")
        .addColumn("series", "text", (column) => column.notNull().references("series.id"))
        .addColumn("run", "text", (column) => column.notNull().references("runs.id"))
        .addColumn("created", "text", (column) => column.notNull())
        .addColumn("correct", "integer", (column) => column.notNull())
        .addColumn("n", "integer", (column) => column.notNull())
        .addColumn("complete", "integer", (column) => column.notNull())
        .addPrimaryKeyConstraint("scores_of_runs", ["run", "series"])
        .execute();
      // Holds all that a trend is made of, so that the tables themselves are not touched.
      await db.schema
        .createIndex("scores_by_night")
        .on("scores")
        .columns(["series", "created", "run", "correct", "n", "complete"])
        .execute();
    },
  },
};
