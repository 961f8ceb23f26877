/** The simple cases by flags: they say the same things as the file, and win over it. */
import { UserError } from "../../errors.ts";
import type { UserConfig, UserEnv, UserVariant } from "./user-config.ts";

export interface VariantFlags {
  readonly engine?: string;
  readonly switch?: string;
  readonly model?: string;
  readonly api?: "completions" | "chat";
  /** A command; or an empty text, for the engine's own. */
  readonly launch?: string;
  readonly baseUrl?: readonly string[];
  readonly fusedBaseUrl?: readonly string[];
  /** `NAME=value`, or `NAME` alone to take it away. */
  readonly baselineEnv?: readonly string[];
  readonly fusedEnv?: readonly string[];
  readonly baselineArgs?: string;
  readonly fusedArgs?: string;
  readonly baselineCwd?: string;
  readonly fusedCwd?: string;
  readonly parallelVariants?: boolean;
}

/**
 * @param file - what the file says, where there is one
 * @throws UserError for an environment variable that is no such
 */
export function configFromFlags(flags: VariantFlags, file: UserConfig = {}): UserConfig {
  const { engine, switch: name, model, api, launch, parallelVariants } = flags;
  const baseline = variantOf(file.variants?.baseline, {
    baseUrl: flags.baseUrl,
    env: flags.baselineEnv,
    args: flags.baselineArgs,
    cwd: flags.baselineCwd,
  });
  const fused = variantOf(file.variants?.fused, {
    baseUrl: flags.fusedBaseUrl,
    env: flags.fusedEnv,
    args: flags.fusedArgs,
    cwd: flags.fusedCwd,
  });
  return {
    ...file,
    ...defined({ engine, switch: name, model, api, parallel: parallelVariants }),
    ...(launch !== undefined && launch !== "" && { launch: { ...file.launch, command: launch } }),
    variants: { ...(baseline !== undefined && { baseline }), ...(fused !== undefined && { fused }) },
  };
}

interface Given {
  readonly baseUrl: readonly string[] | undefined;
  readonly env: readonly string[] | undefined;
  readonly args: string | undefined;
  readonly cwd: string | undefined;
}

function variantOf(file: UserVariant | undefined, { baseUrl, env, args, cwd }: Given): UserVariant | undefined {
  const given = defined({ base_url: baseUrl, args, cwd });
  if (file === undefined && env === undefined && Object.keys(given).length === 0) return undefined;
  return { ...file, ...given, ...(env !== undefined && { env: { ...file?.env, ...readEnv(env) } }) };
}

function readEnv(given: readonly string[]): UserEnv {
  return Object.fromEntries(
    given.map((each) => {
      const [, name, value] = /^([A-Za-z_]\w*)(?:=(.*))?$/s.exec(each) ?? [];
      // Not quoted: what is wrong with it may be that a value stands alone.
      if (name === undefined)
        throw new UserError("an environment variable is given as NAME=value, or NAME to unset it");
      return [name, value ?? null];
    }),
  );
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Defined<T>;
}
