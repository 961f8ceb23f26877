/** What a server is started with, and what that resolves to. */
import { basename, resolve } from "node:path";
import { defaultModelDir } from "../engine/default-model-dir.ts";
import { DEFAULT_CONCURRENCY, DEFAULT_HOST, DEFAULT_MAX_QUEUE, DEFAULT_PORT } from "./defaults.ts";
import type { RoutingName } from "../engine/routing/routing.ts";

/**
 * How routed experts are handed out: as SGLang does, on request, or as vLLM does, with every answer. `as asked`: as SGLang
 * does to requests that ask for them, as vLLM does to all others.
 */
export type RoutedExpertsForm = "sglang" | "vllm" | "as asked";

export interface ServerOptions {
  readonly routing: RoutingName;
  /** A checkpoint folder. Default: the model that comes with fusecheck. */
  readonly modelDir?: string;
  /** What clients call the model. Default: the name of its folder. */
  readonly servedModelName?: string;
  /** Default: 127.0.0.1, which other machines cannot reach. */
  readonly host?: string;
  /** 0 takes a free one. Default: 8000. */
  readonly port?: number;
  /** Sequences that the engine runs at a time. Default: 32. */
  readonly concurrency?: number;
  /** Sequences that may wait besides; what comes then is refused with 503. Default: 512. */
  readonly maxQueue?: number;
  /** Largest request body. Default: 2 MiB, a batch of 64 prompts of 4,096 token ids. */
  readonly maxBodyBytes?: number;
  /** Default: routed experts are not handed out. */
  readonly routedExperts?: RoutedExpertsForm;
  /** Clients must send it as a bearer token. Default: none is asked for. */
  readonly apiKey?: string;
  /** How long requests may go on once the server closes, in milliseconds. Default: 10,000. */
  readonly drainMs?: number;
  /** Told of failures that are not the client's. Default: nobody is. */
  readonly log?: (line: string) => void;
}

export interface ResolvedServerOptions extends Required<Omit<ServerOptions, "routedExperts" | "apiKey">> {
  readonly routedExperts: RoutedExpertsForm | undefined;
  readonly apiKey: string | undefined;
}

export function resolveOptions(options: ServerOptions): ResolvedServerOptions {
  const modelDir = options.modelDir ?? defaultModelDir();
  return {
    routing: options.routing,
    modelDir,
    servedModelName: options.servedModelName ?? basename(resolve(modelDir)),
    host: options.host ?? DEFAULT_HOST,
    port: options.port ?? DEFAULT_PORT,
    concurrency: options.concurrency ?? DEFAULT_CONCURRENCY,
    maxQueue: options.maxQueue ?? DEFAULT_MAX_QUEUE,
    maxBodyBytes: options.maxBodyBytes ?? 2 * 1024 ** 2,
    routedExperts: options.routedExperts,
    apiKey: options.apiKey,
    drainMs: options.drainMs ?? 10_000,
    log: options.log ?? (() => {}),
  };
}
