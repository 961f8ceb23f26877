/** Small questions to a server that may be starting, broken or something else: bounded in time and size. */
import { Agent, request } from "undici";
import { failureOf } from "../openai/failure.ts";

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 4 * 1024 ** 2;

export type GetReply =
  | { readonly kind: "answered"; readonly status: number; readonly text: string }
  | { readonly kind: "failed"; readonly message: string };

export interface Getter {
  /** Rejects with nothing but the signal's reason. */
  get(url: string, signal: AbortSignal, headers?: Readonly<Record<string, string>>): Promise<GetReply>;
  close(): Promise<void>;
}

export function openGetter(): Getter {
  // No connection is kept: a server that restarts or refuses must be met anew each time.
  const dispatcher = new Agent({ pipelining: 0, maxResponseSize: MAX_BYTES, maxHeaderSize: 16 * 1024 });
  return {
    async get(url, signal, headers = {}) {
      signal.throwIfAborted();
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      try {
        const reply = await request(url, { dispatcher, headers, signal: AbortSignal.any([signal, timeout]) });
        return { kind: "answered", status: reply.statusCode, text: await reply.body.text() };
      } catch (error) {
        signal.throwIfAborted();
        if (timeout.aborted) return { kind: "failed", message: `no response within ${TIMEOUT_MS / 1000} s` };
        return { kind: "failed", message: failureOf(error).message };
      }
    },
    close: () => dispatcher.destroy(),
  };
}
