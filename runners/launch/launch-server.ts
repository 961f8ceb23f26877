/** Starts a server, waits until it is ready, and sees to it that nothing is left of it. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../errors.ts";
import { resolveHeaders } from "../openai/headers.ts";
import { EngineLostError } from "../runner.ts";
import { buildCommand, takesPort } from "./command.ts";
import { openGetter } from "./http-get.ts";
import { readFacts } from "./identity.ts";
import type { Facts } from "./identity.ts";
import { LaunchError } from "./launch-error.ts";
import { freePort, isFree } from "./ports.ts";
import { waitUntilReady } from "./readiness.ts";
import type { AskOptions } from "./readiness.ts";
import { ServerLog } from "./server-log.ts";
import type { ServerSpec } from "./server-spec.ts";
import { CannotStartError, supervise } from "./supervise.ts";
import type { Stopped, Supervised } from "./supervise.ts";

export interface LaunchProgress {
  readonly phase: "starting" | "health" | "first-token" | "ready";
  readonly elapsedMs: number;
  readonly deadlineMs: number;
  /** What is waited for: `/health: HTTP 503`. */
  readonly detail: string;
  /** The newest line of the server's log. */
  readonly logLine: string | undefined;
}

export interface LaunchOptions {
  /** Keeps what the server prints. Appended to. */
  readonly logFile: string;
  /** How the server is asked for its first token. */
  readonly ask?: AskOptions;
  /** Ends the launch, and the server with it. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LaunchProgress) => void;
  /** What the server's environment starts from. Default: the process's. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export interface LaunchedServer {
  /** `http://127.0.0.1:43210/v1` */
  readonly baseUrl: string;
  readonly port: number;
  readonly pid: number;
  /** As it was run, with everything filled in. */
  readonly argv: readonly string[];
  /** What the server says it is, as far as it says it. */
  readonly facts: Facts;
  /** How long it took to be ready. */
  readonly startupMs: number;
  readonly log: ServerLog;
  /** Resolves, with what the run ends with, when the server ends without having been asked to. Never rejects. */
  readonly died: Promise<EngineLostError>;
  /** Ends the server and all of its process group; any number of times. */
  stop(): Promise<Stopped>;
}

const LOOPBACK = "127.0.0.1";
const STARTUP_MS = 30 * 60_000;
const GRACE_MS = 30_000;
const PORT_TRIES = 3;
const DEADLINE = "deadline";

/** How servers say that somebody else has the port: the system's words in most languages, llama.cpp's, Go's. */
const PORT_TAKEN = /address already in use|EADDRINUSE|port \d+ is (?:already )?(?:in use|occupied)|couldn't bind/i;

/**
 * Starts a server and waits until it has completed a token. Whatever ends this process afterwards ends the server.
 *
 * @throws UserError for what cannot be started as asked, LaunchError when it does not come up, the signal's reason
 */
export async function launchServer(spec: ServerSpec, options: LaunchOptions): Promise<LaunchedServer> {
  checkSpec(spec);
  const { host = LOOPBACK } = spec;
  for (let tries = 1; ; tries++) {
    if (spec.port !== undefined && !(await isFree(host, spec.port)))
      throw new UserError(`port ${spec.port} is in use; stop what listens there, or leave the port to fusecheck`);
    const port = spec.port ?? (await freePort(host));
    try {
      return await launchOn(port, host, spec, options);
    } catch (error) {
      if (!(error instanceof PortTakenError) || spec.port !== undefined || tries === PORT_TRIES) throw error;
    }
  }
}

/** Another process was quicker. */
class PortTakenError extends LaunchError {}

async function launchOn(port: number, host: string, spec: ServerSpec, options: LaunchOptions): Promise<LaunchedServer> {
  const { ask = {}, signal: caller = new AbortController().signal, onProgress, environment = process.env } = options;
  const { startupMs = STARTUP_MS, healthPath = "/health", identify = [] } = spec;
  caller.throwIfAborted();
  const { argv, env } = buildCommand(spec, { port, host }, environment);
  const headers = resolveHeaders(ask).fields;
  const log = new ServerLog(resolve(options.logFile), env);
  log.note(`${new Date().toISOString()} starting on port ${port}: ${argv[0]}`);
  const origin = `http://${connectHost(host)}:${port}`;
  const startedAt = performance.now();
  const report = (phase: LaunchProgress["phase"], detail: string): void => {
    const elapsedMs = performance.now() - startedAt;
    onProgress?.({ phase, elapsedMs, deadlineMs: startupMs, detail, logLine: log.lastLines(1)[0] });
  };
  const server = await startProcess(spec, argv, env, log);
  const getter = openGetter();
  const failed = new AbortController();
  const deadline = setTimeout(() => failed.abort(DEADLINE), startupMs);
  void server.ended.then((how) => failed.abort(how));
  const signal = AbortSignal.any([caller, failed.signal]);
  let waiting = "";
  const onWaiting = (phase: "health" | "first-token", detail: string): void => report(phase, (waiting = detail));
  try {
    report("starting", `process ${server.pid}`);
    await waitUntilReady({ origin, healthPath, headers, ask, getter, onWaiting }, signal);
    const facts = await readFacts(origin, identify, getter, signal, headers);
    // What answered may have been another process on the same port, while this one was just dying of it.
    signal.throwIfAborted();
    report("ready", origin);
    const { pid, ended } = server;
    let asked = false;
    const died = ended.then((how) =>
      asked ? new Promise<never>(() => {}) : new EngineLostError(`the server died (${how}); ${log.quote()}`),
    );
    const stop = (): Promise<Stopped> => {
      asked = true;
      return server.stop();
    };
    return {
      baseUrl: `${origin}/v1`,
      port,
      pid,
      argv,
      facts,
      startupMs: performance.now() - startedAt,
      log,
      died,
      stop,
    };
  } catch (error) {
    // Before the stop, which ends the process too.
    const why = failed.signal.aborted ? String(failed.signal.reason) : undefined;
    await server.stop();
    caller.throwIfAborted();
    throw startupFailure(error, why, { log, startupMs, waiting, port });
  } finally {
    clearTimeout(deadline);
    await getter.close();
  }
}

interface Startup {
  readonly log: ServerLog;
  readonly startupMs: number;
  /** What was last waited for. */
  readonly waiting: string;
  readonly port: number;
}

/** @param why - what ended the wait, unless it was the error itself */
function startupFailure(error: unknown, why: string | undefined, startup: Startup): LaunchError {
  const { log, startupMs, waiting, port } = startup;
  const fail = (message: string): LaunchError =>
    new LaunchError(`${message}; ${log.quote()}`, log.path, { cause: error });
  if (why === undefined) {
    const said = error instanceof Error ? error.message : String(error);
    return fail(`the server is up but completes nothing: ${said}`);
  }
  if (why === DEADLINE) {
    const last = waiting === "" ? "" : ` (${waiting})`;
    return fail(`the server was not ready within ${startupMs / 1000} s${last}`);
  }
  if (PORT_TAKEN.test(log.lastLines(50).join("\n")))
    return new PortTakenError(`another process took port ${port} before the server did; ${log.quote()}`, log.path);
  const hint = why === "exit code 0" ? ": its command has to stay in the foreground" : "";
  return fail(`the server died while it started (${why})${hint}`);
}

async function startProcess(
  spec: ServerSpec,
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
  log: ServerLog,
): Promise<Supervised> {
  const { cwd = process.cwd(), stopSignal = "SIGTERM", graceMs = GRACE_MS } = spec;
  try {
    return await supervise({ argv, env, cwd: resolve(cwd), logFile: log.path, stopSignal, graceMs });
  } catch (cause) {
    if (!(cause instanceof CannotStartError)) throw cause;
    const why = { ENOENT: "there is no such program", EACCES: "it is not a program that may be run" }[cause.code];
    throw new UserError(`cannot start "${argv[0]}": ${why ?? cause.code}; install it, or correct the launch command`, {
      cause,
    });
  }
}

function checkSpec(spec: ServerSpec): void {
  if (process.platform === "win32")
    throw new UserError("fusecheck starts servers on Linux and macOS only; use --base-url");
  const { cwd, port } = spec;
  if (cwd !== undefined && statSync(cwd, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new UserError(`the server's working directory is not a folder: ${cwd}`);
  if (port === undefined && !takesPort(spec))
    throw new UserError("the launch command has no {port}; put {port} where the server's port goes, or give its port");
}

/** A server that listens on all addresses is spoken to on loopback. */
function connectHost(host: string): string {
  if (host === "0.0.0.0") return LOOPBACK;
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
