/** What a server can do wrong, done on a real connection. */
import type { ServerResponse } from "node:http";
import type { DialectName } from "../../../runners/openai/index.ts";
import { errorBody } from "./dialect-shapes.ts";
import type { Body } from "./dialect-shapes.ts";

/** Every failure that may be mended by asking again. */
export const TRANSIENT_FAULTS = [
  "status 408",
  "status 409",
  "status 425",
  "status 429",
  "status 500",
  "status 502 html",
  "status 503",
  "status 504",
  "retry-after",
  "reset",
  "reset half-way",
  "hang",
  "hang half-way",
  "drip",
  "malformed json",
  "malformed sse",
  "html",
  "cut",
  "cut cleanly",
  "no choices",
  "null content",
  "error in a 200",
  "error in a stream",
  "huge",
  "header bomb",
  "not http",
  "given up",
] as const;

export type Fault = (typeof TRANSIENT_FAULTS)[number] | `status ${number}`;

const HTML = "<!DOCTYPE html><html><body><h1>Bad Gateway</h1></body></html>";

export interface FaultContext {
  readonly response: ServerResponse;
  readonly dialect: DialectName;
  readonly chat: boolean;
  /** The answer that should have been given. */
  readonly whole: Body;
  /** How long an honest wait is, in the client's eyes too long. */
  readonly dripMs: number;
}

export function commit(fault: Fault, context: FaultContext): void {
  const { response, dialect, chat, whole } = context;
  const { socket } = response;
  const json = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
  const events = (lines: readonly string[], after: () => void): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(lines.map((line) => `${line}\n\n`).join(""), after);
  };
  const text = JSON.stringify(whole);
  const half = text.slice(0, text.length / 2);
  const piece = {
    choices: [{ index: 0, ...(chat ? { delta: { content: "Par" } } : { text: "Par" }), finish_reason: null }],
  };
  const nothing = chat ? { message: { role: "assistant", content: null } } : { text: null };
  switch (fault) {
    case "status 502 html":
      response.writeHead(502, { "content-type": "text/html" }).end(HTML);
      return;
    case "retry-after":
      json(429, errorBody(dialect, 429, "slow down"), { "retry-after": "0" });
      return;
    case "reset":
      socket?.resetAndDestroy();
      return;
    case "reset half-way":
      response.writeHead(200, { "content-type": "application/json", "content-length": `${text.length * 2}` });
      response.write(half, () => socket?.resetAndDestroy());
      return;
    case "hang":
      return;
    case "hang half-way":
      events([`data: ${JSON.stringify(piece)}`], () => {});
      return;
    case "drip": {
      response.writeHead(200, { "content-type": "application/json" });
      const timer = setInterval(() => response.write(" "), context.dripMs);
      response.on("close", () => clearInterval(timer));
      return;
    }
    case "malformed json":
      response.writeHead(200, { "content-type": "application/json" }).end(`${half}!`);
      return;
    case "malformed sse":
      events(['data: {"choices": [{"te'], () => response.end());
      return;
    case "html":
      response.writeHead(200, { "content-type": "text/html" }).end(HTML);
      return;
    case "cut":
      response.writeHead(200, { "content-type": "application/json", "content-length": `${text.length * 2}` });
      response.write(half, () => socket?.end());
      return;
    case "cut cleanly":
      events([`data: ${JSON.stringify(piece)}`], () => response.end());
      return;
    case "no choices":
      json(200, { ...whole, choices: [] });
      return;
    case "null content":
      json(200, { ...whole, choices: [{ index: 0, ...nothing, finish_reason: "stop" }] });
      return;
    case "error in a 200":
      json(200, errorBody(dialect, 500, "the engine stumbled"));
      return;
    case "error in a stream":
      events(
        [`data: ${JSON.stringify(piece)}`, `data: ${JSON.stringify({ error: { message: "lost", code: 500 } })}`],
        () => response.end("data: [DONE]\n\n"),
      );
      return;
    case "huge":
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"choices": [{"text": "');
      for (let i = 0; i < 50; i++) response.write("x".repeat(1024 ** 2));
      response.end('"}]}');
      return;
    case "header bomb":
      socket?.write(`HTTP/1.1 200 OK\r\n${`X-Bomb: ${"b".repeat(1000)}\r\n`.repeat(1000)}\r\n`, () => socket.destroy());
      return;
    case "not http":
      socket?.write("SSH-2.0-OpenSSH_9.6\r\n", () => socket.destroy());
      return;
    case "given up":
      json(200, {
        ...whole,
        choices: [{ index: 0, ...(chat ? { message: { content: "Par" } } : { text: "Par" }), finish_reason: "abort" }],
      });
      return;
    default: {
      const status = Number(fault.slice("status ".length));
      json(status, errorBody(dialect, status, `status ${status}`));
    }
  }
}
