/** Asks servers what they offer. */
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../errors.ts";
import { asksForTooLong, backoffMs } from "./backoff.ts";
import { AttemptError } from "./failure.ts";
import { chooseModel, readModels } from "./models.ts";
import type { ServedModel } from "./models.ts";
import type { ResolvedHeaders } from "./headers.ts";
import type { ResolvedOptions } from "./options.ts";
import { readJson } from "./read-reply.ts";
import type { Transport } from "./transport.ts";

/** Listing models runs nothing: a server that needs longer is not ready. */
const MODELS_TIMEOUT_MS = 30_000;
const ATTEMPTS = 4;

/**
 * @returns undefined where the server has no such list
 * @throws AttemptError, or the signal's reason
 */
export async function fetchModels(
  transport: Transport,
  { headers, timeouts }: Pick<ResolvedOptions, "headers" | "timeouts">,
  signal: AbortSignal,
): Promise<readonly ServedModel[] | undefined> {
  const atMost = (ms: number): number => Math.min(ms, MODELS_TIMEOUT_MS);
  const { connectMs, firstByteMs, idleMs, totalMs } = timeouts;
  const request = {
    method: "GET",
    path: "/models",
    headers: { accept: "application/json", "user-agent": "fusecheck", ...headers.fields },
    timeouts: { connectMs, firstByteMs: atMost(firstByteMs), idleMs: atMost(idleMs), totalMs: atMost(totalMs) },
  } as const;
  try {
    return readModels(await transport.exchange(request, signal, (reply) => readJson(reply, headers.redact)));
  } catch (error) {
    const status = error instanceof AttemptError ? error.failure.status : undefined;
    if (status === 404 || status === 405 || status === 501) return undefined;
    throw error;
  }
}

/**
 * The model that all replicas offer.
 *
 * @throws UserError when a server cannot be reached, refuses the key, or has no such model
 */
export async function resolveModel(
  transports: readonly Transport[],
  options: ResolvedOptions,
  signal: AbortSignal,
): Promise<ServedModel> {
  const { askedModel, dialect } = options;
  let chosen: ServedModel | undefined;
  for (const transport of transports) {
    const wanted = askedModel ?? chosen?.id;
    const needless = wanted !== undefined && dialect.loadsUnlistedModels === true;
    const models = await modelsOf(transport, options, needless, signal);
    if (models === undefined || needless) continue;
    chosen = chooseModel(models, wanted, transport.baseUrl);
  }
  if (chosen !== undefined) return askedModel === undefined ? chosen : { ...chosen, id: askedModel };
  if (askedModel !== undefined) return { id: askedModel };
  throw new UserError(`${transports[0]?.baseUrl} does not list its models; name one with --model`);
}

/** Where the list is needless, a server that answers at all will do: Transformers fails to list where it has no cache. */
async function modelsOf(
  transport: Transport,
  options: ResolvedOptions,
  needless: boolean,
  signal: AbortSignal,
): Promise<readonly ServedModel[] | undefined> {
  for (let attempts = 1; ; attempts++) {
    try {
      return await fetchModels(transport, options, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AttemptError)) throw error;
      const { kind, retry, retryAfterMs, status } = error.failure;
      const tooLong = asksForTooLong(error.failure, options.retries);
      const message = tooLong === undefined ? error.failure.message : `${error.failure.message}; ${tooLong}`;
      const { baseUrl } = transport;
      if (kind === "unreachable")
        throw new UserError(`cannot reach ${baseUrl}: ${message}; start the server, or correct --base-url`);
      if (status === 401 || status === 403)
        throw new UserError(`${baseUrl} refuses the API key, or wants one: ${message}; set it in the environment`);
      if (needless) return undefined;
      const otherwise = options.dialect.loadsUnlistedModels === true ? "; or name the model with --model" : "";
      if (!retry || tooLong !== undefined || attempts === ATTEMPTS)
        throw new UserError(`${baseUrl} is not ready: ${message}${otherwise}`);
      const wait = backoffMs(attempts - 1, retryAfterMs, options.retries, options.random);
      await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** A server that has died refuses connections at once; one that is far away, or behind a proxy, needs some time. */
const PROBE_TIMEOUT_MS = 5000;

/** Whether any of them responds at all. */
export async function anyResponds(
  transports: readonly Transport[],
  { fields }: ResolvedHeaders,
  signal: AbortSignal,
): Promise<boolean> {
  const ms = PROBE_TIMEOUT_MS;
  const timeouts = { connectMs: ms, firstByteMs: ms, idleMs: ms, totalMs: ms };
  const request = {
    method: "GET",
    path: "/models",
    headers: { "user-agent": "fusecheck", ...fields },
    timeouts,
  } as const;
  const responds = transports.map((transport) => transport.exchange(request, signal, () => Promise.resolve(true)));
  return (await Promise.allSettled(responds)).some(({ status }) => status === "fulfilled");
}
