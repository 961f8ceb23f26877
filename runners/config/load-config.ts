import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../../errors.ts";
import { parseConfig } from "./parse-config.ts";
import type { UserConfig, UserLaunch } from "./user-config.ts";

/** A settings file is a page or two; this is something else. */
const MAX_BYTES = 1024 ** 2;

/**
 * Working directories in the file are relative to where it lies.
 *
 * @throws UserError
 */
export function loadConfig(path: string): UserConfig {
  return settleFolders(parseConfig(readSettings(path, "fusecheck.yaml"), path), dirname(path));
}

/**
 * @param what - the kind of file, for messages
 * @throws UserError where there is no file, or none of that kind
 */
export function readSettings(path: string, what: string): string {
  try {
    if (statSync(path).size > MAX_BYTES) throw new UserError(`${path} is larger than 1 MiB: no ${what}`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Working directories taken from `folder`, where the file lies. */
export function settleFolders<C extends UserConfig>(config: C, folder: string): C {
  const settle = <T extends UserLaunch>(launch: T): T =>
    launch.cwd === undefined ? launch : { ...launch, cwd: resolve(folder, launch.cwd) };
  const { launch, variants } = config;
  return {
    ...config,
    ...(launch !== undefined && { launch: settle(launch) }),
    ...(variants !== undefined && {
      variants: {
        ...(variants.baseline !== undefined && { baseline: settle(variants.baseline) }),
        ...(variants.fused !== undefined && { fused: settle(variants.fused) }),
      },
    }),
  };
}
