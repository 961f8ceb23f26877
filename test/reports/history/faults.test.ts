/** A database that is not as it should be: each fault has its name, and a run that could not be added can be added later. */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Database from "libsql";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EngineError, UserError } from "../../../errors.ts";
import { openHistory } from "../../../reports/history/history.ts";
import { exampleRun } from "./example.ts";
import { sqlitePlaces } from "./places.ts";
import type { Places } from "./places.ts";
import { query, startPostgres } from "./postgres-server.ts";
import type { PostgresServer } from "./postgres-server.ts";

const READ_ONLY = fileURLToPath(new URL("read-only.ts", import.meta.url));

async function problem(work: Promise<unknown>): Promise<{ readonly exit: 2 | 3; readonly message: string }> {
  const error = await work.then(
    () => new Error("nothing was wrong"),
    (reason: unknown) => reason,
  );
  if (error instanceof UserError) return { exit: 2, message: error.message };
  if (error instanceof EngineError) return { exit: 3, message: error.message };
  throw error;
}

async function withOneRun(place: string): Promise<void> {
  const history = await openHistory(place);
  await history.add([exampleRun(0, 1250)]);
  await history.close();
}

async function nightsIn(place: string): Promise<number> {
  const history = await openHistory(place);
  const [series] = await history.series({ variant: "fused", filter: "strict-match" });
  const nights = series === undefined ? [] : await history.nights(series);
  await history.close();
  return nights.length;
}

describe("a SQLite file", () => {
  let places: Places;
  let place: string;

  beforeAll(async () => {
    places = await sqlitePlaces();
  });
  afterAll(() => places.stop());
  beforeEach(async () => {
    place = await places.place();
  });

  it("that is not there is not made by who only looks", async () => {
    expect(await problem(openHistory(place, { create: false }))).toMatchObject({
      exit: 2,
      message: expect.stringContaining("there is no history"),
    });
  });

  it("of a newer schema is left as it is", async () => {
    await withOneRun(place);
    const database = new Database(place);
    database.exec("insert into fusecheck_migrations (name, timestamp) values ('999_later', '2030-01-01')");
    database.close();
    const before = readFileSync(place);
    const { exit, message } = await problem(openHistory(place));
    expect([exit, message]).toEqual([2, expect.stringMatching(/newer fusecheck \(its schema has 999_later\): update/)]);
    expect(readFileSync(place).equals(before)).toBe(true);
  });

  it("that another process holds is waited for, then named; afterwards the run can be added", async () => {
    await withOneRun(place);
    const history = await openHistory(place, { lockWaitMs: 200 });
    const holder = new Database(place);
    holder.exec("begin exclusive");
    const { exit, message } = await problem(history.add([exampleRun(1, 1250)]));
    expect([exit, message]).toEqual([
      3,
      expect.stringMatching(/is locked: .*fusecheck history add RUN adds it later$/),
    ]);
    holder.exec("rollback");
    holder.close();
    await history.add([exampleRun(1, 1250)]);
    await history.close();
    expect(await nightsIn(place)).toBe(2);
  });

  it("that may only be read can be looked at, and says so when something is added", async () => {
    await withOneRun(place);
    chmodSync(dirname(place), 0o755);
    chmodSync(place, 0o444);
    const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", READ_ONLY, place]);
    expect(stdout).toMatch(/^4 series\nUserError: the history .* is read-only: change its permissions/);
    chmodSync(place, 0o644);
    expect(await nightsIn(place)).toBe(1);
  });

  it("that is deleted while it is in use takes nothing, and says so", async () => {
    await withOneRun(place);
    const history = await openHistory(place);
    rmSync(place);
    const { exit, message } = await problem(history.add([exampleRun(1, 1250)]));
    expect([exit, message]).toEqual([3, expect.stringMatching(/is gone: .*fusecheck history add RUN adds it later$/)]);
    await history.close();
  });

  it("that is something else is refused and left as it is", async () => {
    writeFileSync(place, "not a database, ".repeat(100));
    expect(await problem(openHistory(place))).toMatchObject({ exit: 2, message: expect.stringContaining("no SQLite") });
    expect(readFileSync(place, "utf8")).toBe("not a database, ".repeat(100));
    const foreign = await places.place();
    const database = new Database(foreign);
    database.exec("create table runs (mine text)");
    database.close();
    expect((await problem(openHistory(foreign))).message).toContain('a table "runs" that is not fusecheck\'s');
  });

  it("that cannot be: a folder, a place that is none, another kind of address", async () => {
    mkdirSync(place);
    expect(await problem(openHistory(place))).toMatchObject({
      exit: 3,
      message: expect.stringContaining("cannot be read"),
    });
    expect(await problem(openHistory("/proc/no/history.db"))).toMatchObject({ exit: 2 });
    expect((await problem(openHistory("mysql://me:pw@host/db"))).message).toBe(
      "--history takes a file, or postgres://..., not mysql://me:***@host/db",
    );
  });
});

/** Passes on to PostgreSQL until the client says a word, and then cuts both. */
async function cutAt(word: string, address: string): Promise<{ readonly address: string; readonly server: Server }> {
  const url = new URL(address);
  const port = Number(url.port);
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    client.on("data", (chunk) => {
      if (chunk.includes(word)) {
        client.destroy();
        upstream.destroy();
      } else upstream.write(chunk);
    });
    upstream.on("data", (chunk) => client.write(chunk));
    for (const [a, b] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      a.on("error", () => b.destroy());
      a.on("close", () => b.destroy());
    }
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url.port = String((server.address() as AddressInfo).port);
  return { address: String(url), server };
}

describe("a PostgreSQL database", () => {
  let postgres: PostgresServer;
  let place: string;

  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres.stop());
  beforeEach(async () => {
    place = await postgres.database();
    await withOneRun(place);
  });

  it("whose connection breaks in mid-write has nothing of it, and takes it later", async () => {
    const { address, server } = await cutAt('insert into "scores"', place);
    const history = await openHistory(address);
    const { exit, message } = await problem(history.add([exampleRun(1, 1250)]));
    expect(exit).toBe(3);
    expect(message).toMatch(/^the history postgres:.* broke the connection.*fusecheck history add RUN adds it later$/);
    expect(message).not.toContain("secret");
    await history.close();
    server.close();
    expect(await nightsIn(place)).toBe(1);
    const again = await openHistory(place);
    await again.add([exampleRun(1, 1250)]);
    await again.close();
    expect(await nightsIn(place)).toBe(2);
  });

  it("of a newer schema is refused", async () => {
    await query(place, "insert into fusecheck_migrations (name, timestamp) values ('999_later', '2030-01-01')");
    expect(await problem(openHistory(place))).toMatchObject({
      exit: 2,
      message: expect.stringContaining("newer fusecheck"),
    });
  });

  it("that may only be read can be looked at, and says so when something is added", async () => {
    await query(place, `alter database ${new URL(place).pathname.slice(1)} set default_transaction_read_only = on`);
    expect(await nightsIn(place)).toBe(1);
    const history = await openHistory(place);
    expect(await problem(history.add([exampleRun(1, 1250)]))).toMatchObject({
      exit: 2,
      message: expect.stringContaining("may only be read by this user"),
    });
    await history.close();
  });

  it("whose tables another session keeps is waited for, then named", async () => {
    const history = await openHistory(place, { lockWaitMs: 200 });
    const { default: pg } = await import("pg");
    const holder = new pg.Client({ connectionString: place });
    await holder.connect();
    await holder.query("begin");
    await holder.query("lock table runs in access exclusive mode");
    expect(await problem(history.add([exampleRun(1, 1250)]))).toMatchObject({
      exit: 3,
      message: expect.stringContaining("is locked"),
    });
    await holder.end();
    await history.add([exampleRun(1, 1250)]);
    await history.close();
    expect(await nightsIn(place)).toBe(2);
  });

  it("with another password, of another name, or nowhere: said, and the password never", async () => {
    const wrong = place.replace("secret", "wrong-secret");
    const problems = [
      await problem(openHistory(wrong)),
      await problem(openHistory(place.replace(/history_\d+/, "nowhere"))),
      await problem(openHistory("postgres://me:wrong-secret@127.0.0.1:1/db")),
    ];
    expect(problems).toEqual([
      { exit: 2, message: expect.stringContaining("refuses the user or the password") },
      { exit: 2, message: expect.stringContaining("does not exist: create the database first") },
      { exit: 2, message: expect.stringContaining("cannot be reached") },
    ]);
    for (const { message } of problems) expect(message).not.toContain("secret");
  });
});
