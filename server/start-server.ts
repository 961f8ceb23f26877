/** The embedded engine behind the OpenAI protocol. */
import { EmbeddedEngine } from "../engine/embedded-engine.ts";
import { UserError } from "../errors.ts";
import { createApp } from "./app.ts";
import type { App } from "./app.ts";
import type { ServerContext } from "./context.ts";
import { resolveOptions } from "./options.ts";
import type { ResolvedServerOptions, ServerOptions } from "./options.ts";
import { openVocabulary } from "./vocabulary.ts";

export interface Server {
  /** What clients call the base URL: `http://127.0.0.1:8000/v1`. */
  readonly baseUrl: string;
  readonly model: string;
  /** For the user to see once. */
  readonly warnings: readonly string[];
  /** Requests for completions that are not over yet, one per completion. */
  readonly open: number;
  /** Takes no more requests, lets those that run end (for `drainMs` at most), and lets go of everything. */
  close(): Promise<void>;
  /** Drops what runs, to make `close` quick. */
  abort(): void;
}

/**
 * Loads the model and listens.
 *
 * @throws UserError for a checkpoint that cannot be used or an address that cannot be listened on
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const resolved = resolveOptions(options);
  const { modelDir, routing, concurrency, servedModelName } = resolved;
  const engine = await EmbeddedEngine.open({ modelDir, routing, concurrency });
  try {
    // A model that loads may still not run; a server that listens is one that answers.
    await engine.complete({ prompt: [0], maxTokens: 1, stop: [], temperature: 0, seed: "", logprobs: false });
    const app = createApp(contextOf(engine, resolved));
    const baseUrl = `${await listen(app, resolved)}/v1`;
    return {
      baseUrl,
      model: servedModelName,
      warnings: warningsFor(resolved),
      get open() {
        return app.admission.open;
      },
      close: () => close(app, engine, resolved.drainMs),
      abort: () => {
        app.abortAll();
        setTimeout(() => app.http.server.closeAllConnections(), LAST_WORDS_MS).unref();
      },
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function contextOf(engine: EmbeddedEngine, options: ResolvedServerOptions): ServerContext {
  const vocabulary = openVocabulary(options.modelDir, engine.tokenizer);
  return { engine, vocabulary, options, canChat: canChat(engine), created: Math.floor(Date.now() / 1000) };
}

function canChat({ tokenizer }: EmbeddedEngine): boolean {
  try {
    return tokenizer.encodeChat([{ role: "user", content: "1 + 1" }]).length > 0;
  } catch {
    return false;
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: "something listens there already; give another --port, or 0 for a free one",
  EACCES: "this user may not; give a --port above 1023",
  EADDRNOTAVAIL: "this machine has no such address; correct --host",
  ENOTFOUND: "there is no such host; correct --host",
};

async function listen({ http }: App, { host, port }: ResolvedServerOptions): Promise<string> {
  try {
    return await http.listen({ host, port });
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    throw new UserError(`cannot listen on ${host} port ${port}: ${WHY[code] ?? message}`, { cause });
  }
}

/** Connections are kept alive by their clients; how often they are looked through while the server closes. */
const DROP_IDLE_MS = 50;

/** How long clients may take to read that their request was dropped. */
const LAST_WORDS_MS = 1000;

async function close(app: App, engine: EmbeddedEngine, drainMs: number): Promise<void> {
  app.refuseNew();
  const idle = setInterval(() => app.dropIdle(), DROP_IDLE_MS);
  const late = setTimeout(() => app.abortAll(), drainMs);
  // Clients that do not take their answer, or never send their request to the end, would hold the server up.
  const never = setTimeout(() => app.http.server.closeAllConnections(), drainMs + LAST_WORDS_MS);
  await app.http.close();
  clearInterval(idle);
  clearTimeout(late);
  clearTimeout(never);
  await engine.close();
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1)$/;

function warningsFor({ host, apiKey }: ResolvedServerOptions): readonly string[] {
  if (LOOPBACK.test(host)) return [];
  const open = apiKey === undefined ? ", and no API key is asked for" : "";
  return [`other machines can reach this server on ${host}${open}; requests are not encrypted`];
}
