/** `fusecheck.yaml` as users write it. What it resolves to is in resolve-variants.ts. */

/** Words, or a line that is split as a POSIX shell splits words. */
export type UserWords = string | readonly (string | number)[];

/** Null takes a variable away. */
export type UserEnv = Readonly<Record<string, string | number | null>>;

/** How a server is started. */
export interface UserLaunch {
  readonly command?: UserWords;
  readonly shell?: boolean;
  readonly args?: UserWords;
  readonly env?: UserEnv;
  readonly cwd?: string;
  readonly host?: string;
  readonly port?: number;
  /** Numbers of GPUs: `0`, `"0,1"`. */
  readonly devices?: string | number;
  /** Where the server says that it is up. */
  readonly health?: string;
}

/** Over `launch`; or a server that runs already. */
export interface UserVariant extends UserLaunch {
  readonly base_url?: string | readonly string[];
}

/** Seconds, or a number with its unit: `90`, `90s`, `30m`, `1h`. */
export type UserDuration = string | number;

export interface UserConfig {
  readonly engine?: string;
  /** Of the engine's, by name. */
  readonly switch?: string;
  readonly model?: string;
  readonly api?: "completions" | "chat";
  /** Both variants. */
  readonly launch?: UserLaunch;
  readonly variants?: { readonly baseline?: UserVariant; readonly fused?: UserVariant };
  readonly parallel?: boolean;
  readonly prefix_caching?: false;
  readonly deterministic?: boolean;
  readonly clear_cache?: boolean;
  readonly timeouts?: { readonly startup?: UserDuration; readonly stop?: UserDuration; readonly hang?: UserDuration };
  /** The variable that holds the key. */
  readonly api_key_env?: string;
  /** Headers, by the variable that holds their value. */
  readonly header_env?: Readonly<Record<string, string>>;
}
