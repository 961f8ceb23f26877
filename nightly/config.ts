/** `nightly.yaml` as users write it, and the rows that it comes to. */
import type { UserConfig } from "../runners/config/index.ts";

/** Least exact match: of every filter, or by filter. */
export type UserThreshold = number | Readonly<Record<string, number>>;

/** What a row may say, besides its name; `defaults` says the same for all. A setting of the row replaces it whole. */
export interface UserRowSettings extends UserConfig {
  readonly task?: string;
  /** Also the variant with fused routing, and compare. Default: true. */
  readonly fused?: boolean;
  readonly limit?: number;
  readonly num_fewshot?: number;
  readonly seed?: number;
  /** The folder with the task's files. */
  readonly data?: string;
  readonly max_tokens?: number;
  readonly temperature?: number;
  readonly concurrency?: number;
  readonly parity_docs?: number;
  /** The model's config.json, or its folder: routing is captured from the servers. */
  readonly capture?: string;
  readonly stream?: boolean;
  readonly ignore_eos?: boolean;
  readonly extra_body?: Readonly<Record<string, unknown>>;
  readonly allow_differences?: boolean;
  readonly threshold?: UserThreshold;
  /** Points that fused may be lower by. Without it no row is inconclusive. */
  readonly margin?: number;
  readonly rerun_inconclusive?: { readonly times: number };
  /** What could explain a change and fusecheck cannot see, such as the container image. */
  readonly facts?: Readonly<Record<string, string>>;
  /** The same, each from an environment variable. */
  readonly facts_env?: Readonly<Record<string, string>>;
}

export interface UserRow extends UserRowSettings {
  readonly name: string;
}

export interface UserNightly {
  /** A SQLite file, or `postgres://...` without a password. */
  readonly history?: string;
  /** The folder of the nights. */
  readonly output?: string;
  readonly alarm?: { readonly false_alarm_nights?: number };
  readonly defaults?: UserRowSettings;
  readonly rows: readonly UserRow[];
}

/** A row with its defaults filled in; folders are absolute. */
export interface NightlyRow extends UserRow {
  readonly task: string;
  readonly fused: boolean;
  /** True where no server is asked. */
  readonly embedded: boolean;
}

export interface NightlyConfig {
  /** As the user named it. */
  readonly file: string;
  readonly history: string | undefined;
  readonly output: string;
  readonly falseAlarmNights: number;
  readonly rows: readonly NightlyRow[];
  /** SHA-256 of all rows and of the alarm's rate: the shards of one night must have the same. */
  readonly sha256: string;
}
