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
  let text: string;
  try {
    if (statSync(path).size > MAX_BYTES) throw new UserError(`${path} is larger than 1 MiB: no fusecheck.yaml`);
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  const config = parseConfig(text, path);
  const settle = <T extends UserLaunch>(launch: T): T =>
    launch.cwd === undefined ? launch : { ...launch, cwd: resolve(dirname(path), launch.cwd) };
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
