import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import type { RunEnvironment } from "./environment.ts";
import { errorCode, fileProblem, makeFolder, removeTemporaryFiles, writeFileAtomic } from "./files.ts";
import { lockFolder, type FolderLock } from "./folder-lock.ts";
import { openJournal, type Journal } from "./journal.ts";
import { jsonFileText, type JsonObject } from "./json.ts";
import {
  fingerprintOf,
  firstDifference,
  isRunRecord,
  type RunRecord,
  type RunStatus,
  type VariantRecord,
} from "./run-record.ts";

const RECORD_FILE = "run.json";
const LOCK_FILE = "run.lock";
const JOURNAL_FILE = "completions.jsonl";

/** What a new run folder is made of. */
export interface RunFolderOptions {
  readonly path: string;
  /** fusecheck's version. */
  readonly fusecheck: string;
  /** Flags as given. */
  readonly asked: JsonObject;
  /** Resolved settings; a folder with other settings is refused, so leave out what may change on resume (`--quiet`). */
  readonly settings: JsonObject;
  readonly task: RunRecord["task"];
  readonly engine: JsonObject;
  readonly environment: RunEnvironment;
}

/**
 * Creates a run folder, or opens one to resume it, and locks it against a second process.
 *
 * @throws UserError when the folder holds other files, or a run with other settings (the first that differs is named), when
 *   another process is using it, or when it cannot be written.
 */
export async function openRunFolder(options: RunFolderOptions): Promise<RunFolder> {
  const { path } = options;
  const fingerprint = fingerprintOf(options.settings);
  try {
    await makeFolder(path);
  } catch (error) {
    throw fileProblem(error, path, "cannot create");
  }
  // Checked before locking, so that a folder that is not ours is left untouched; and again under the lock.
  await findRun(options, fingerprint);
  const lock = await lockFolder(join(path, LOCK_FILE));
  try {
    const found = await findRun(options, fingerprint);
    await removeTemporaryFiles(path);
    const record: RunRecord = found ?? {
      schema: 1,
      fusecheck: options.fusecheck,
      created: new Date().toISOString(),
      status: "running",
      asked: options.asked,
      settings: options.settings,
      fingerprint,
      task: options.task,
      engine: options.engine,
      environment: options.environment,
      variants: {},
    };
    const folder = new RunFolder(path, found !== undefined, record, lock);
    // A complete run that is only looked at again stays complete until a variant is worked on.
    if (record.status !== "complete") await folder.setStatus("running");
    return folder;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** The run that the folder holds; `undefined` when it is empty. */
async function findRun(options: RunFolderOptions, fingerprint: string): Promise<RunRecord | undefined> {
  const found = await readRunRecord(options.path);
  if (found === undefined) {
    await checkEmpty(options.path);
    return undefined;
  }
  if (found.fingerprint === fingerprint) return found;
  // Where nothing was answered there is nothing to go on with, and a command that was wrong can be put right.
  if (!(await hasAnswers(options.path))) return undefined;
  const difference = firstDifference(found.settings, options.settings);
  const what =
    difference === undefined
      ? "its settings do not match their fingerprint"
      : `${difference.name} was ${difference.before} there and is ${difference.now} now`;
  throw new UserError(
    `${options.path} holds another run: ${what}: choose another --output, or use the same settings to resume`,
  );
}

/**
 * Reads a folder's `run.json`; `undefined` when there is none.
 *
 * @throws UserError when it is there but is not a run record of this schema.
 */
export async function readRunRecord(path: string): Promise<RunRecord | undefined> {
  const file = join(path, RECORD_FILE);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fileProblem(error, file, "cannot read");
  }
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file} is not JSON: choose another --output`, { cause: error });
  }
  if (!isRunRecord(record))
    throw new UserError(`${file} is not a run record of this fusecheck: choose another --output`);
  return record;
}

/** Whether any variant has an answer. */
async function hasAnswers(path: string): Promise<boolean> {
  const entries = await readdir(path, { withFileTypes: true });
  const journals = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name, JOURNAL_FILE));
  const sizes = await Promise.all(
    journals.map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.some((size) => size > 0);
}

async function checkEmpty(path: string): Promise<void> {
  let names: string[];
  try {
    names = await readdir(path);
  } catch (error) {
    throw fileProblem(error, path, "cannot read");
  }
  // What a process leaves that was killed before it wrote its first run.json.
  const foreign = names.filter((name) => name !== LOCK_FILE && !/^run\.(?:lock|json)\..*\.tmp$/.test(name));
  if (foreign.length > 0) {
    throw new UserError(`${path} holds files but no run of fusecheck (${foreign[0]}): choose an empty or new --output`);
  }
}

/** An open run folder; `run.json` always holds a whole record. */
export class RunFolder {
  readonly path: string;
  /** True when the folder held this run already. */
  readonly resumed: boolean;
  #record: RunRecord;
  readonly #lock: FolderLock;
  /** What earlier sessions recorded, by variant. */
  readonly #before: Map<string, VariantRecord> = new Map();
  #saving: Promise<void> = Promise.resolve();

  /** Use `openRunFolder`. */
  constructor(path: string, resumed: boolean, record: RunRecord, lock: FolderLock) {
    this.path = path;
    this.resumed = resumed;
    this.#record = record;
    this.#lock = lock;
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** The path of a file of the run, or of one variant when that is named. */
  file(name: string, variant?: string): string {
    return variant === undefined ? join(this.path, name) : join(this.path, variant, name);
  }

  /** Opens the journal of a variant: `<variant>/completions.jsonl`. */
  async openJournal(variant: string): Promise<Journal> {
    return await openJournal(this.file(JOURNAL_FILE, variant));
  }

  /**
   * Records how long this session has worked on a variant so far; earlier sessions are added. Call it now and then: what
   * a killed process had not recorded is lost from the total.
   */
  async recordSeconds(variant: string, seconds: number): Promise<void> {
    const before = this.#before.get(variant) ?? this.#record.variants[variant] ?? { seconds: 0, sessions: 0 };
    this.#before.set(variant, before);
    await this.#save((record) => ({
      ...record,
      variants: {
        ...record.variants,
        [variant]: {
          ...record.variants[variant],
          seconds: before.seconds + seconds,
          sessions: before.sessions + 1,
        },
      },
    }));
  }

  /**
   * Records what a variant was found to be.
   *
   * @param answered - where it was something else before: how many docs that has answered
   */
  async recordEngine(variant: string, engine: JsonObject, answered?: number): Promise<void> {
    await this.#save((record) => {
      const before = record.variants[variant] ?? { seconds: 0, sessions: 0 };
      const changed = answered !== undefined && before.engine !== undefined;
      const earlier = changed && { earlier: [...(before.earlier ?? []), { engine: before.engine, answered }] };
      return { ...record, variants: { ...record.variants, [variant]: { ...before, engine, ...earlier } } };
    });
  }

  async setStatus(status: RunStatus): Promise<void> {
    await this.#save((record) => ({ ...record, status }));
  }

  /** Waits for what is being written and gives the folder back; the status stays as it was set. */
  async close(): Promise<void> {
    await this.#saving.catch(() => {});
    await this.#lock.release();
  }

  /** One save after the other: the last change must not be overtaken by an earlier one. */
  async #save(change: (record: RunRecord) => RunRecord): Promise<void> {
    const save = async (): Promise<void> => {
      const record = change(this.#record);
      await writeFileAtomic(join(this.path, RECORD_FILE), jsonFileText(record));
      this.#record = record;
    };
    this.#saving = this.#saving.then(save, save);
    await this.#saving;
  }
}
