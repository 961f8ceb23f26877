/** A part of a night's rows, for a runner of its own. */
import { UserError } from "../errors.ts";

/** `index` from 1 to `of`. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

const MAX_SHARDS = 10_000;

/** @throws UserError for what is no shard */
export function parseShard(text: string): Shard {
  const [, index = 0, of = 0] = (/^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (index < 1 || index > of || of > MAX_SHARDS)
    throw new UserError(`--shard takes I/N, such as 2/8 with I from 1 to N (at most ${MAX_SHARDS}), not "${text}"`);
  return { index, of };
}

/** Every N-th row, so that neighbours, which are often alike, go to different runners. Each row is in one shard. */
export function rowsOf<T>(rows: readonly T[], { index, of }: Shard): readonly T[] {
  return rows.filter((_, i) => i % of === index - 1);
}
