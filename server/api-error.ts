/** What a client is told when its request cannot be met, in the protocol's shape. */

export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    /** The field at fault. */
    readonly param: string | null;
    readonly code: string | null;
  };
}

interface Details {
  readonly param?: string | undefined;
  readonly code?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown anywhere while a request is handled; its message goes to the client and must not tell of this machine. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;

  constructor(status: number, message: string, { param, code, headers = {} }: Details = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
    const type = status >= 500 ? "server_error" : "invalid_request_error";
    this.body = { error: { message, type, param: param ?? null, code: code ?? null } };
  }
}

/** 400: the field says something that cannot be done. */
export function badField(param: string, message: string): ApiError {
  return new ApiError(400, message, { param });
}

/** The engine, not the request, is at fault. What it said is for the log, not for the client. */
export function engineFailed(): ApiError {
  return new ApiError(500, "the engine failed on this request; the server's log says why", { code: "engine_error" });
}
