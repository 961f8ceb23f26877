/** One replica's connections: kept open between requests, each attempt under its clocks and limits. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Pool } from "undici";
import type { Dispatcher } from "undici";
import { Deadlines } from "./deadlines.ts";
import type { Timeouts } from "./deadlines.ts";
import { AttemptError, failureOf } from "./failure.ts";

export interface Limits {
  /** Default: 16 KiB, as Node has it. */
  readonly maxHeaderBytes: number;
  /** Default: 16 MiB: ten thousand tokens with their log-probabilities are a quarter of that. */
  readonly maxResponseBytes: number;
}

export interface HttpRequest {
  readonly method: "GET" | "POST";
  /** Below the base URL: `/models`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: the transport's. */
  readonly timeouts?: Timeouts;
}

export interface HttpReply {
  readonly status: number;
  /** When the request was sent, on `performance.now`'s clock. */
  readonly sentAt: number;
  readonly header: (name: string) => string | undefined;
  /** Each piece of it, whatever it is, sets the idle clock anew. */
  readonly body: AsyncIterable<Buffer>;
  /** To be called once nothing more is waited for but the end. */
  readonly windUp: () => void;
}

export class Transport {
  readonly baseUrl: string;
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #timeouts: Timeouts;

  constructor(baseUrl: URL, timeouts: Timeouts, limits: Limits) {
    this.baseUrl = baseUrl.href;
    this.#prefix = baseUrl.pathname;
    this.#timeouts = timeouts;
    this.#pool = new Pool(baseUrl.origin, {
      // One request per connection and as many connections as requests: a queue in here would run on their clocks.
      connections: null,
      pipelining: 1,
      connect: { timeout: timeouts.connectMs },
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: limits.maxHeaderBytes,
      maxResponseSize: limits.maxResponseBytes,
    });
  }

  /**
   * Sends a request and has `read` read its response, all within the clocks.
   *
   * @throws AttemptError, or the signal's reason
   */
  async exchange<T>(request: HttpRequest, signal: AbortSignal, read: (reply: HttpReply) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const sentAt = performance.now();
    const controller = new AbortController();
    const deadlines = new Deadlines(request.timeouts ?? this.#timeouts, (error) => controller.abort(error));
    const forward = (): void => controller.abort(signal.reason);
    signal.addEventListener("abort", forward, { once: true });
    try {
      const { method, path, headers, body } = request;
      const response = await this.#pool.request({
        method,
        path: `${this.#prefix}${path}`,
        headers,
        ...(body !== undefined && { body }),
        signal: controller.signal,
      });
      const value = await this.#read(response, sentAt, deadlines, read);
      // The pool takes a connection back one turn after its response; without it, the next request would open another.
      await nextTurn();
      return value;
    } catch (error) {
      if (controller.signal.aborted) throw controller.signal.reason;
      if (error instanceof AttemptError) throw error;
      throw new AttemptError(failureOf(error));
    } finally {
      deadlines.clear();
      signal.removeEventListener("abort", forward);
    }
  }

  async #read<T>(
    { statusCode, headers, body }: Dispatcher.ResponseData,
    sentAt: number,
    deadlines: Deadlines,
    read: (reply: HttpReply) => Promise<T>,
  ): Promise<T> {
    // What it fails with reaches whoever reads it; one that is left unread must not end the process.
    body.on("error", () => {});
    try {
      return await read({
        status: statusCode,
        sentAt,
        header: (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value[0] : value;
        },
        body: heard(body, () => deadlines.heard()),
        windUp: () => deadlines.windUp(),
      });
    } finally {
      body.destroy();
    }
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

async function* heard(body: AsyncIterable<Buffer>, onPiece: () => void): AsyncGenerator<Buffer> {
  for await (const piece of body) {
    onPiece();
    yield piece;
  }
}
