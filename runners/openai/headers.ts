/** The headers of every request, and which of them are secret. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { UserError } from "../../errors.ts";
import { MAX_SECRET_LENGTH, redactor } from "./secrets.ts";
import type { Redact } from "./secrets.ts";

export interface HeaderOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly apiKeyEnv?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly headerEnv?: Readonly<Record<string, string>>;
}

export interface ResolvedHeaders {
  /** Names in lower case. */
  readonly fields: Readonly<Record<string, string>>;
  /** Of the headers that the user added; never their values. */
  readonly addedNames: readonly string[];
  readonly hasSecrets: boolean;
  /** For what servers send in errors. */
  readonly redact: Redact;
  /** For answers: takes out only what is too long to stand in one by chance. */
  readonly redactAnswer: Redact;
}

export const DEFAULT_API_KEY_ENV = "OPENAI_API_KEY";

/** A header value shorter than this is a setting rather than a key. */
const MIN_SECRET_HEADER = 8;

/** A key shorter than this, such as "EMPTY", may be a word of an answer. */
const MIN_SECRET_IN_ANSWER = 16;

/** Belong to the HTTP client, or to the body that is sent. */
const REFUSED = new Set(["content-length", "content-type", "transfer-encoding", "connection", "host", "expect"]);

/** @throws UserError that names the header or variable, never its value */
export function resolveHeaders(options: HeaderOptions): ResolvedHeaders {
  const { env = process.env, apiKeyEnv = DEFAULT_API_KEY_ENV } = options;
  const key = env[apiKeyEnv]?.trim() ?? "";
  if (key !== "" && (!/^[\x21-\x7e]+$/.test(key) || key.length > MAX_SECRET_LENGTH))
    throw new UserError(`${apiKeyEnv} does not hold a key: expected printable ASCII without blanks; set it again`);
  const added = Object.entries(options.headers ?? {});
  for (const [name, variable] of Object.entries(options.headerEnv ?? {})) {
    const value = env[variable];
    if (value === undefined)
      throw new UserError(`header ${name} is to come from ${variable}, which is not set; set it`);
    added.push([name, value]);
  }
  for (const [name, value] of added) checkHeader(name, value);
  const secretHeaders = added.map(([, value]) => value).filter((value) => value.length >= MIN_SECRET_HEADER);
  // "Bearer abc" may come back as "abc".
  const words = secretHeaders.flatMap((value) => value.split(/\s+/)).filter((word) => word.length >= MIN_SECRET_HEADER);
  const secrets = [key, ...secretHeaders, ...words].filter((secret) => secret !== "");
  return {
    fields: Object.fromEntries([
      ...(key === "" ? [] : [["authorization", `Bearer ${key}`]]),
      ...added.map(([name, value]) => [name.toLowerCase(), value]),
    ]) as Record<string, string>,
    addedNames: added.map(([name]) => name.toLowerCase()),
    hasSecrets: secrets.length > 0,
    redact: redactor(secrets),
    redactAnswer: redactor(secrets.filter((secret) => secret.length >= MIN_SECRET_IN_ANSWER)),
  };
}

function checkHeader(name: string, value: string): void {
  if (REFUSED.has(name.toLowerCase())) throw new UserError(`header ${name} is set by fusecheck itself; leave it out`);
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    // Without the cause: it may quote the value.
    throw new UserError(`header "${name}" has a name or a value that HTTP does not allow; correct it`);
  }
  if (value.length > MAX_SECRET_LENGTH)
    throw new UserError(`header ${name} is longer than ${MAX_SECRET_LENGTH} characters`);
}
