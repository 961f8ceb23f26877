/** The HTTP side: routes, limits, and every failure in the protocol's shape. */
import { createHash, timingSafeEqual } from "node:crypto";
import fastify from "fastify";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Admission } from "./admission.ts";
import type { Ticket } from "./admission.ts";
import { answerStream, answerWhole } from "./answer.ts";
import { ApiError, engineFailed } from "./api-error.ts";
import { planChat } from "./chat.ts";
import { planCompletion } from "./completions.ts";
import { onClientError } from "./client-error.ts";
import type { ServerContext } from "./context.ts";
import { about } from "./about.ts";
import type { Plan } from "./plan.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The place of a request for completions in the queue. */
    ticket: Ticket | null;
  }
}

/** Longest that a client may take to send its request, in milliseconds. */
const REQUEST_TIMEOUT_MS = 60_000;

export interface App {
  readonly http: FastifyInstance;
  readonly admission: Admission;
  /** From now on requests are refused with 503; those that run go on. */
  refuseNew(): void;
  /** Ends connections that no request is under way on. */
  dropIdle(): void;
  /** Ends all that runs. */
  abortAll(): void;
}

export function createApp(context: ServerContext): App {
  const { options } = context;
  const admission = new Admission(options.concurrency + options.maxQueue);
  const running = new Set<AbortController>();
  let closing = false;
  /** Under way, of any kind. */
  let requests = 0;
  const http = fastify({
    bodyLimit: options.maxBodyBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: 1000 },
    // Fastify's own answer has another shape than the protocol's; ours is below.
    return503OnClosing: false,
    forceCloseConnections: "idle",
    clientErrorHandler: onClientError,
    frameworkErrors: (error, _request, reply) => void fail(reply, error),
  });
  const toApiError = (error: unknown): ApiError => {
    if (error instanceof ApiError) return error;
    if (closing) return shuttingDown();
    const refused = ofFramework(error);
    if (refused !== undefined) return refused;
    options.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return engineFailed();
  };
  const fail = (reply: FastifyReply, error: unknown): FastifyReply => {
    // Whatever went wrong after the client had gone is no failure of the server's.
    const { status, headers, body } = toApiError(reply.raw.destroyed ? clientGone() : error);
    return reply.code(status).headers(headers).send(body);
  };

  http.decorateRequest("ticket", null);
  http.setErrorHandler((error, _request, reply) => fail(reply, error));
  http.setNotFoundHandler((request, reply) => fail(reply, notFound(http, request)));
  http.addHook("onRequest", async (request, reply) => {
    requests++;
    reply.raw.once("close", () => requests--);
    if (closing) throw shuttingDown();
    if (!request.url.startsWith("/v1/")) return;
    checkKey(options.apiKey, request);
    // Before the body is read: what is full should not take in more.
    if (request.method !== "POST" || request.is404) return;
    request.ticket = admission.enter();
    // For those that end before anything of theirs ran: refused, or never sent in full (which has no onResponse).
    reply.raw.once("close", () => request.ticket?.leave());
  });
  const answer = async (
    plan: (context: ServerContext, body: unknown) => Plan,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<object> => {
    const planned = plan(context, request.body);
    const { ticket } = request;
    ticket?.resize(planned.choices.length);
    // Its place is free again when the engine has let go of it, which may be after the client has gone.
    request.ticket = null;
    // Tokens are all that is needed while the request waits.
    request.body = undefined;
    const abort = new AbortController();
    running.add(abort);
    const onEnd = (): void => {
      running.delete(abort);
      ticket?.leave();
    };
    const gone = (): void => abort.abort(clientGone());
    reply.raw.once("close", gone);
    if (reply.raw.closed) gone();
    if (!planned.stream) return answerWhole(context, planned, abort).finally(onEnd);
    void reply.header("content-type", "text/event-stream; charset=utf-8").header("cache-control", "no-cache");
    return reply.send(answerStream(context, planned, abort, { toApiError, onEnd }));
  };
  http.post("/v1/completions", (request, reply) => answer(planCompletion, request, reply));
  http.post("/v1/chat/completions", (request, reply) => answer(planChat, request, reply));
  about(http, context);
  return {
    http,
    admission,
    refuseNew: () => {
      closing = true;
    },
    dropIdle: () => {
      // Node takes a connection for busy on which nothing was ever sent, as clients open them in advance.
      if (requests === 0) http.server.closeAllConnections();
      else http.server.closeIdleConnections();
    },
    abortAll: () => {
      for (const abort of running) abort.abort(shuttingDown());
    },
  };
}

function shuttingDown(): ApiError {
  return new ApiError(503, "the server is shutting down", { code: "shutting_down", headers: { connection: "close" } });
}

function clientGone(): ApiError {
  return new ApiError(499, "the client has gone");
}

function checkKey(apiKey: string | undefined, { headers }: FastifyRequest): void {
  if (apiKey === undefined) return;
  const [, given = ""] = /^Bearer +(.*)$/i.exec(headers.authorization ?? "") ?? [];
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  // Of hashes, because texts of different lengths cannot be compared in constant time.
  if (timingSafeEqual(hash(given), hash(apiKey))) return;
  throw new ApiError(401, "a valid API key must be sent as a bearer token", { code: "invalid_api_key" });
}

/** A client's mistake that Fastify found: its messages say nothing of the machine. */
function ofFramework(error: unknown): ApiError | undefined {
  const { statusCode, message, code } = error as { statusCode?: number; message?: string; code?: string };
  if (statusCode === undefined || statusCode < 400 || statusCode >= 500) return undefined;
  const known = code?.startsWith("FST_") === true || error instanceof SyntaxError;
  return new ApiError(statusCode, known ? (message ?? "") : "the request could not be read");
}

const METHODS = ["GET", "POST"] as const;

function notFound(http: FastifyInstance, { method, url }: FastifyRequest): ApiError {
  const [path = ""] = url.split("?");
  const shown = path.slice(0, 200);
  const allowed = METHODS.filter((each) => http.findRoute({ method: each, url: path }) !== null);
  if (allowed.length === 0) return new ApiError(404, `there is no ${shown}`, { code: "not_found" });
  const allow = allowed.join(", ");
  return new ApiError(405, `${shown} takes ${allow}, not ${method}`, {
    code: "method_not_allowed",
    headers: { allow },
  });
}
