/** Which night it is. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import { summaryName } from "./summary.ts";

const DAY_MS = 24 * 3600 * 1000;

/** @throws UserError for what cannot be a folder's name */
export function checkNight(night: string): string {
  if (/^\w[\w.-]{0,99}$/.test(night)) return night;
  throw new UserError(`--night takes a name of letters, digits, dots and dashes, such as 2026-11-25, not "${night}"`);
}

/**
 * Today in UTC; or yesterday, where that night was cut off: the same command goes on after midnight too. Shards are told
 * (`--night`), because they must agree.
 */
export function nightToRun(output: string, now: Date): string {
  const today = dayOf(now);
  const yesterday = dayOf(new Date(now.getTime() - DAY_MS));
  const begun = existsSync(output) ? readdirSync(output) : [];
  const cutOff = begun.includes(yesterday) && !existsSync(join(output, yesterday, summaryName(null)));
  const sharded = cutOff && readdirSync(join(output, yesterday)).some((name) => name.startsWith("nightly.shard-"));
  return cutOff && !sharded && !begun.includes(today) ? yesterday : today;
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
