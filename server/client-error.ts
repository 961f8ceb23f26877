/** Answers bytes that are no HTTP request, which never get as far as a route. */
import type { Socket } from "node:net";
import { ApiError } from "./api-error.ts";

const KNOWN: Readonly<Record<string, readonly [status: number, phrase: string, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "the request's headers are too large"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "the request did not come to its end in time"],
};

export function onClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  // Nobody listens any more, or an answer is under way that this would run into.
  if (error.code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const [status, phrase, message] = KNOWN[error.code ?? ""] ?? [400, "Bad Request", "this is not an HTTP request"];
  const body = JSON.stringify(new ApiError(status, message).body);
  const head = [`HTTP/1.1 ${status} ${phrase}`, "Content-Type: application/json", "Connection: close"];
  socket.end(`${head.join("\r\n")}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
