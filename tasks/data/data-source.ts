/** Where a task may take its files from. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

export interface DataSource {
  /** A folder that holds the task's files (`--data`). Nothing else is then looked at. */
  readonly dir?: string;
  /** Default: `$FUSECHECK_CACHE`, else `fusecheck` in the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`). */
  readonly cacheDir?: string;
  /** A mirror of the published files; they are still held to their SHA-256. Default: `$FUSECHECK_GSM8K_URL`, else their home. */
  readonly baseUrl?: string;
  readonly fetch?: typeof fetch;
  /** Default: `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

/** The folder under which every task keeps a folder of its own. */
export function cacheRoot({ cacheDir, env = process.env }: DataSource): string {
  if (cacheDir !== undefined) return cacheDir;
  const own = env["FUSECHECK_CACHE"];
  if (own !== undefined && own !== "") return own;
  const xdg = env["XDG_CACHE_HOME"];
  // The XDG specification: a relative path is to be ignored.
  const base = xdg !== undefined && isAbsolute(xdg) ? xdg : join(homedir(), ".cache");
  return join(base, "fusecheck");
}
