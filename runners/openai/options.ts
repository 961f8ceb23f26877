/** What the runner is asked for, and what that resolves to. The one place where its defaults are. */
import { UserError } from "../../errors.ts";
import type { BackoffOptions } from "./backoff.ts";
import { parseBaseUrl } from "./base-url.ts";
import { resolveCaptures } from "./capture-options.ts";
import type { CaptureSettings, CaptureSetup } from "./capture-options.ts";
import type { BreakerOptions } from "./breaker.ts";
import type { Timeouts } from "./deadlines.ts";
import { getDialect } from "./dialects.ts";
import type { Dialect, DialectName } from "./dialects.ts";
import { resolveHeaders } from "./headers.ts";
import type { ResolvedHeaders } from "./headers.ts";
import { checkBodySettings } from "./request-body.ts";
import type { Api } from "./request-body.ts";
import type { Limits } from "./transport.ts";

export interface RetryOptions extends BackoffOptions {
  /** Attempts per request, at least 1. Default: 8, which with the default waits is half a minute on average. */
  readonly attempts: number;
  /**
   * Attempts per request that may end in a timeout (of the first byte, idle or total); a server that is this slow would
   * otherwise hold a doc for hours. Default: 3.
   */
  readonly slowAttempts: number;
  /** Retries in all of the runner's life. Default: 10,000. */
  readonly runRetries: number;
  /** A server that asks to be left alone for longer (`Retry-After`) is not waited for. Default: 10 minutes. */
  readonly retryAfterMaxMs: number;
}

export interface OpenAiRunnerOptions {
  /** At least one; several are replicas of one server, and each request goes to the least busy. */
  readonly baseUrls: readonly string[];
  /** Default: what the server offers, when it offers one. */
  readonly model?: string;
  /** Default: `openai`. */
  readonly dialect?: DialectName;
  /** Default: `completions`. */
  readonly api?: Api;
  /** Default: false: an answer in one piece costs the client a fraction of the time. */
  readonly stream?: boolean;
  /** Generate up to the token limit even where the model would end. Default: false. */
  readonly ignoreEos?: boolean;
  /** Ask for the generated tokens' ids. Default: false. */
  readonly tokenIds?: boolean;
  /** Ask for the generated tokens' log-probabilities. Default: false. */
  readonly logprobs?: boolean;
  /** What `capture` needs to know; without it the runner has no `capture`. Answers are asked for the same either way. */
  readonly captures?: CaptureSettings;
  /** Where keys are looked up. Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The variable that holds the API key; without effect where it is not set. Default: `OPENAI_API_KEY`. */
  readonly apiKeyEnv?: string;
  /** Sent with every request. Their values are kept out of everything that is shown, like the key. */
  readonly headers?: Readonly<Record<string, string>>;
  /** More headers, by the variable that holds their value: it then never stands in a command line. */
  readonly headerEnv?: Readonly<Record<string, string>>;
  /** Sent in every request, over what else would be; `null` takes a field away. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
  readonly timeouts?: Partial<Timeouts>;
  readonly limits?: Partial<Limits>;
  readonly retries?: Partial<RetryOptions>;
  readonly breaker?: Partial<BreakerOptions>;
  /** Something to know while requests wait. Default: nobody is told. */
  readonly notify?: (text: string) => void;
  /** Uniform in [0, 1), for the jitter of waits. Default: `Math.random`: two clients should not wait alike. */
  readonly random?: () => number;
}

export interface ResolvedOptions {
  readonly baseUrls: readonly [URL, ...URL[]];
  readonly askedModel: string | undefined;
  readonly dialectName: DialectName;
  readonly dialect: Dialect;
  readonly api: Api;
  readonly stream: boolean;
  readonly ignoreEos: boolean;
  readonly tokenIds: boolean;
  readonly logprobs: boolean;
  readonly captures: CaptureSetup | undefined;
  readonly headers: ResolvedHeaders;
  readonly extraBody: Readonly<Record<string, unknown>>;
  readonly timeouts: Timeouts;
  readonly limits: Limits;
  readonly retries: RetryOptions;
  readonly breaker: BreakerOptions;
  readonly notify: (text: string) => void;
  readonly random: () => number;
}

const TIMEOUTS: Timeouts = { connectMs: 10_000, firstByteMs: 600_000, idleMs: 120_000, totalMs: 900_000 };
const LIMITS: Limits = { maxHeaderBytes: 16 * 1024, maxResponseBytes: 16 * 1024 ** 2 };
const RETRIES: RetryOptions = {
  attempts: 8,
  slowAttempts: 3,
  runRetries: 10_000,
  retryAfterMaxMs: 600_000,
  baseMs: 500,
  capMs: 30_000,
};
const BREAKER: BreakerOptions = { unreachableMs: 10_000, failedInARow: 20 };

/** @throws UserError for what cannot be done as asked */
export function resolveOptions(options: OpenAiRunnerOptions): ResolvedOptions {
  const [firstUrl, ...otherUrls] = options.baseUrls.map(parseBaseUrl);
  if (firstUrl === undefined) throw new UserError("no base URL; give --base-url http://host:port/v1");
  const dialectName = options.dialect ?? "openai";
  const dialect = getDialect(dialectName);
  const resolved: ResolvedOptions = {
    baseUrls: [firstUrl, ...otherUrls],
    askedModel: options.model,
    dialectName,
    dialect,
    api: options.api ?? "completions",
    stream: options.stream ?? false,
    ignoreEos: options.ignoreEos ?? false,
    tokenIds: options.tokenIds ?? false,
    logprobs: options.logprobs ?? false,
    captures: options.captures && resolveCaptures(options.captures, dialect),
    headers: resolveHeaders(options),
    extraBody: options.extraBody ?? {},
    timeouts: { ...TIMEOUTS, ...options.timeouts },
    limits: { ...LIMITS, ...options.limits },
    retries: { ...RETRIES, ...options.retries },
    breaker: { ...BREAKER, ...options.breaker },
    notify: options.notify ?? (() => {}),
    random: options.random ?? Math.random,
  };
  checkBodySettings(resolved);
  const { timeouts, limits, retries, breaker } = resolved;
  checkNumbers({ ...timeouts, ...limits, ...retries, ...breaker });
  return resolved;
}

/** A timer that is set for longer (24.8 days) goes off at once. */
const MAX_NUMBER = 2 ** 31 - 1;

function checkNumbers(numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 0 && value <= MAX_NUMBER))
      throw new UserError(`${name} is ${value}; expected a number from 0 to ${MAX_NUMBER}`);
  }
}
