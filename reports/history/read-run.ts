import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UserError } from "../../errors.ts";
import type { Comparison } from "../comparison.ts";
import { fileProblem } from "../files.ts";
import type { JsonObject } from "../json.ts";
import { readRunRecord } from "../run-folder.ts";
import { historyRunOf } from "./record.ts";
import type { HistoryRun } from "./record.ts";

/** A comparison names 20,000 docs at most; this is something else. */
const MAX_BYTES = 256 * 1024 ** 2;

/**
 * A finished run, as the history keeps it.
 *
 * @throws UserError for a folder without a run, and for a run that has not ended
 */
export async function readHistoryRun(
  folder: string,
  options: { readonly name?: string; readonly night?: string; readonly facts?: JsonObject } = {},
): Promise<HistoryRun> {
  const record = await readRunRecord(folder);
  if (record === undefined) throw new UserError(`${folder} holds no run of fusecheck: give a run folder`);
  if (record.status === "running" || record.status === "interrupted") {
    throw new UserError(`the run in ${folder} has not ended (${record.status}): the command that began it goes on`);
  }
  return historyRunOf(record, await readComparison(join(folder, "comparison.json")), {
    ...options,
    folder: resolve(folder),
  });
}

async function readComparison(file: string): Promise<Comparison> {
  let comparison: unknown;
  try {
    if ((await stat(file)).size > MAX_BYTES) throw new UserError(`${file} is larger than 256 MiB: no comparison`);
    comparison = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw new UserError(`${file} is not JSON: the command that made the run writes it again`, { cause });
    throw fileProblem(cause, file, "cannot read");
  }
  if (!isComparison(comparison)) throw new UserError(`${file} is not a comparison of this fusecheck`);
  return comparison;
}

function isComparison(value: unknown): value is Comparison {
  if (typeof value !== "object" || value === null) return false;
  const { schema, variants, verdict } = value as Partial<Comparison>;
  return (
    schema === 1 &&
    Array.isArray(variants) &&
    variants.every(
      (each) => typeof each?.name === "string" && typeof each.counts === "object" && typeof each.table === "object",
    ) &&
    typeof verdict?.held === "boolean" &&
    typeof verdict.complete === "boolean"
  );
}
