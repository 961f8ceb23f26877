/** Puts the shards of a night together. */
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { UserError } from "../errors.ts";
import { fileProblem, makeFolder } from "../reports/files.ts";
import { visible } from "../reports/safe-text.ts";
import { finishNight } from "./run-nightly.ts";
import type { Shard } from "./shard.ts";
import { readSummary } from "./summary-schema.ts";
import type { NightSummary, RowResult } from "./summary.ts";

export interface MergeOptions {
  /** Shards' summaries, or folders that hold them, also one folder deeper. */
  readonly places: readonly string[];
  readonly output: string;
  readonly history: string | undefined;
}

interface FoundShard {
  readonly file: string;
  readonly shard: Shard;
  readonly summary: NightSummary;
}

/** @throws UserError for shards that are missing, there twice, or of another night or config */
export async function mergeShards({ places, output, history }: MergeOptions): Promise<NightSummary> {
  const files: string[] = [];
  for (const place of places) files.push(...(await summariesIn(place)));
  const shards: FoundShard[] = [];
  // The same file may have been named twice; the same shard from two places is another matter.
  for (const file of new Set(files.map((each) => resolve(each)))) shards.push(await readShard(file));
  const [first, ...others] = shards.toSorted((a, b) => a.shard.index - b.shard.index);
  if (first === undefined) throw new UserError(`no nightly.shard-*.json in ${places.join(", ")}`);
  const all = [first, ...others] as const;
  checkTogether(all);
  const rows = rowsInOrder(all, output);
  const folder = resolve(output);
  await makeFolder(folder).catch((error: unknown) => {
    throw fileProblem(error, folder, "cannot create");
  });
  const { night, config } = first.summary;
  return finishNight({ folder, night, shard: null, config, rows, history });
}

/** A row takes some kilobytes. */
const MAX_BYTES = 64 * 1024 ** 2;

const SUMMARY = /^nightly\.shard-\d+-of-\d+\.json$/;

async function summariesIn(place: string): Promise<readonly string[]> {
  try {
    if (!(await stat(place)).isDirectory()) return [place];
    const entries = await readdir(place, { withFileTypes: true });
    const here = entries.filter(({ name }) => SUMMARY.test(name)).map(({ name }) => join(place, name));
    for (const entry of entries.filter((each) => each.isDirectory())) {
      const names = await readdir(join(place, entry.name));
      here.push(...names.filter((name) => SUMMARY.test(name)).map((name) => join(place, entry.name, name)));
    }
    if (here.length === 0) throw new UserError(`${place} holds no nightly.shard-*.json: is that shard done?`);
    return here;
  } catch (error) {
    throw fileProblem(error, place, "cannot read");
  }
}

async function readShard(file: string): Promise<FoundShard> {
  let summary: unknown;
  try {
    if ((await stat(file)).size > MAX_BYTES)
      throw new UserError(`${file} is larger than 64 MiB: no summary of a night`);
    summary = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw new UserError(`${file} is not JSON: run that shard again`, { cause });
    throw fileProblem(cause, file, "cannot read");
  }
  const checked = readSummary(summary);
  if (checked.kind === "not one")
    throw new UserError(`${file} is no summary of this fusecheck's nightly (${visible(checked.what, 200)})`);
  const { shard } = checked.value;
  if (shard === null) throw new UserError(`${file} is of a whole night, not of a shard`);
  return { file, shard, summary: checked.value };
}

function checkTogether([first, ...others]: readonly [FoundShard, ...FoundShard[]]): void {
  for (const { file, shard, summary } of others) {
    const differs = (what: string, a: unknown, b: unknown): never => {
      throw new UserError(
        `${first.file} and ${file} do not belong together: ${what} ${String(a)} there and ${String(b)} here`,
      );
    };
    if (summary.night !== first.summary.night) differs("the night is", first.summary.night, summary.night);
    if (shard.of !== first.shard.of) differs("the number of shards is", first.shard.of, shard.of);
    if (summary.config.sha256 !== first.summary.config.sha256)
      differs("the config's SHA-256 is", first.summary.config.sha256.slice(0, 12), summary.config.sha256.slice(0, 12));
  }
  const all = [first, ...others];
  for (const [i, { file, shard }] of all.entries()) {
    const before = all[i - 1];
    if (before?.shard.index === shard.index)
      throw new UserError(
        `shard ${shard.index}/${shard.of} is there twice: ${before.file} and ${file}; name one of them`,
      );
  }
  const { of } = first.shard;
  const there = new Set(all.map(({ shard }) => shard.index));
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !there.has(index));
  if (missing.length > 0)
    throw new UserError(
      `${missing.length === 1 ? "shard" : "shards"} ${missing.map((index) => `${index}/${of}`).join(", ")} missing: run ${missing.length === 1 ? "it" : "them"}, or name where the summaries are`,
    );
}

/** As the config has them; folders relative to where the merged summary goes. */
function rowsInOrder(shards: readonly [FoundShard, ...FoundShard[]], output: string): readonly RowResult[] {
  const rows = new Map<string, RowResult>();
  for (const { file, summary } of shards) {
    const moved = (folder: string): string => relative(resolve(output), join(dirname(file), folder));
    for (const row of summary.rows) {
      if (rows.has(row.name)) throw new UserError(`row ${row.name} is in two shards, one of them ${file}`);
      const run = row.run === null ? null : { ...row.run, folder: moved(row.run.folder) };
      rows.set(row.name, { ...row, folders: row.folders.map(moved), run });
    }
  }
  return shards[0].summary.config.rows.map((name) => {
    const row = rows.get(name);
    if (row === undefined) throw new UserError(`row ${name} is in no shard: the summaries are of another config`);
    return row;
  });
}
