/** Clears what an engine leaves between two starts, where the user has agreed to it. */
import { lstat, readdir, realpath, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { UserError } from "../../errors.ts";
import type { EnginePreset } from "./preset.ts";

export type Cleared =
  | { readonly kind: "nothing to clear" }
  /** The user was not asked or has not agreed. `because` says what may happen. */
  | { readonly kind: "not confirmed"; readonly folder: string; readonly because: string }
  | { readonly kind: "cleared"; readonly folder: string; readonly entries: number };

export interface ClearOptions {
  /** The user has said so. */
  readonly confirmed: boolean;
  /** Default: the user's. */
  readonly home?: string;
}

/**
 * Empties the preset's folder, never anything outside of it: links in it are removed, not followed.
 *
 * @throws UserError when the folder is not where it seems to be, or cannot be emptied
 */
export async function clearEngineCache(
  { clearBetween }: Pick<EnginePreset, "clearBetween">,
  { confirmed, home = homedir() }: ClearOptions,
): Promise<Cleared> {
  if (clearBetween === undefined) return { kind: "nothing to clear" };
  const folder = join(home, ...clearBetween.folder);
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) return { kind: "nothing to clear" };
  // A link on the way would have the contents of another folder removed.
  const real = relative(await realpath(home), await realpath(folder));
  if (!found.isDirectory() || real !== join(...clearBetween.folder))
    throw new UserError(`${folder} is not a folder of its own but leads elsewhere; clear it by hand`);
  const entries = await readdir(folder);
  if (entries.length === 0) return { kind: "nothing to clear" };
  if (!confirmed) return { kind: "not confirmed", folder, because: clearBetween.because };
  try {
    for (const entry of entries) await rm(join(folder, entry), { recursive: true, force: true });
  } catch (cause) {
    throw new UserError(`cannot clear ${folder}: ${(cause as Error).message}; clear it by hand`, { cause });
  }
  return { kind: "cleared", folder, entries: entries.length };
}
