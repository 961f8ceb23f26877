/** The history's tables, as kysely's types. How they come to be is in migrations.ts. */

/** What is comparable from night to night, and has one trend. */
interface SeriesTable {
  /** A hash of the members down to `protocol`, so that two runners that find it new agree. */
  id: string;
  name: string;
  model: string;
  engine: string;
  task: string;
  task_version: number;
  variant: string;
  filter: string;
  protocol: string;
  /** ISO 8601: nights before it are no part of the level any more, because somebody accepted a new one. */
  level_from: string | null;
}

interface RunsTable {
  id: string;
  created: string;
  night: string | null;
  folder: string;
  /** 0 or 1: SQLite has no truth values. */
  complete: number;
  held: number;
  /** JSON. */
  facts: string;
}

interface ScoresTable {
  series: string;
  run: string;
  /** Of the run: here too, so that a trend is read from one index. */
  created: string;
  correct: number;
  n: number;
  complete: number;
}

export interface HistoryTables {
  series: SeriesTable;
  runs: RunsTable;
  scores: ScoresTable;
}
