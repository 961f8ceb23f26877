/** What became of an attempt that gave no answer, and whether another may give one. */

export type FailureKind =
  | "connect-timeout"
  | "first-byte-timeout"
  | "idle-timeout"
  | "total-timeout"
  /** No connection could be made. */
  | "unreachable"
  /** The connection broke. */
  | "reset"
  | "status"
  | "too-large"
  | "malformed"
  /** The stream ended before the answer did. */
  | "cut"
  | "no-choices"
  | "no-content"
  /** A 200 that carries an error, or an answer that the server says it gave up. */
  | "server-error"
  | "no-usage";

export interface Failure {
  readonly kind: FailureKind;
  /** What happened, without secrets; may quote the start of the body. */
  readonly message: string;
  readonly status?: number;
  /** Another attempt may do better. */
  readonly retry: boolean;
  /** Nobody listens there. Default: false. */
  readonly refused?: boolean;
  /** The server asked to be left alone for so long. */
  readonly retryAfterMs?: number;
}

export class AttemptError extends Error {
  override name = "AttemptError";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** A failure that another attempt may mend. */
export function transient(kind: FailureKind, message: string): AttemptError {
  return new AttemptError({ kind, message, retry: true });
}

/**
 * Below 500: timed out, conflict, TGI's "generation failed", too early, too many requests, ATOM's "client disconnected".
 * Others of the 400s say that the request is wrong, which it will be again.
 */
const RETRIED_STATUSES = new Set([408, 409, 424, 425, 429, 499]);

export function isRetriedStatus(status: number): boolean {
  return status >= 500 || RETRIED_STATUSES.has(status);
}

const SLOW = new Set<FailureKind>(["first-byte-timeout", "idle-timeout", "total-timeout"]);

/** The attempt took all the time that it was given. */
export function isSlow({ kind }: Failure): boolean {
  return SLOW.has(kind);
}

/** The HTTP client's and the operating system's codes for a connection that could not be made. */
const UNREACHABLE = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ETIMEDOUT",
  "EADDRNOTAVAIL",
]);

/** Names what the HTTP client threw. Its own error is not kept as a cause: some quote what the server sent. */
export function failureOf(error: unknown): Failure {
  const { code, name } = describe(error);
  if (code === "UND_ERR_CONNECT_TIMEOUT") return retried("connect-timeout", "no connection in time");
  if (code === "UND_ERR_HEADERS_OVERFLOW") return retried("too-large", "the response's headers are too large");
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE") return retried("too-large", "the response is too large");
  if (code !== undefined && UNREACHABLE.has(code))
    return { ...retried("unreachable", `no connection (${code})`), ...(code === "ECONNREFUSED" && { refused: true }) };
  if (name === "HTTPParserError") return retried("malformed", "the response is not HTTP");
  return retried("reset", `the connection broke (${code ?? name})`);
}

function retried(kind: FailureKind, message: string): Failure {
  return { kind, message, retry: true };
}

/** A host with several addresses fails with one error for each; the first has the code. */
function describe(error: unknown): { readonly code: string | undefined; readonly name: string } {
  if (error instanceof AggregateError && error.errors.length > 0) return describe(error.errors[0]);
  if (!(error instanceof Error)) return { code: undefined, name: "unknown" };
  const { code } = error as NodeJS.ErrnoException;
  return { code: typeof code === "string" ? code : undefined, name: error.name };
}
