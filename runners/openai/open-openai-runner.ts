/** Any server that speaks the OpenAI protocol as a runner. */
import type { Runner } from "../runner.ts";
import { toAnswer } from "./answer.ts";
import { Breaker } from "./breaker.ts";
import type { Reach } from "./breaker.ts";
import { createCapturer } from "./capture.ts";
import type { DialectName } from "./dialects.ts";
import { Holds } from "./holds.ts";
import { createLogprobAsker } from "./logprobs.ts";
import { list } from "./models.ts";
import type { ServedModel } from "./models.ts";
import { keyVariable } from "./headers.ts";
import { resolveOptions } from "./options.ts";
import type { OpenAiRunnerOptions, ResolvedOptions } from "./options.ts";
import { buildBody } from "./request-body.ts";
import type { Api } from "./request-body.ts";
import { Requester } from "./requester.ts";
import { fetchModels, reachOf, resolveModel } from "./served-models.ts";
import type { RequestStats, Traffic } from "./stats.ts";
import { Transport } from "./transport.ts";

export interface OpenAiRunner extends Runner {
  readonly identity: OpenAiIdentity;
  readonly endpoint: OpenAiEndpoint;
  /** For the user to see once, before the run. */
  readonly warnings: readonly string[];
  /** So far; it goes on counting. */
  readonly stats: Readonly<RequestStats>;
  /** Of answers, captures and log-probabilities together, now. */
  readonly traffic: () => Readonly<Traffic>;
}

/** What decides the answers: a run can be resumed only with the same. */
export interface OpenAiIdentity {
  readonly name: "openai";
  readonly dialect: DialectName;
  readonly api: Api;
  readonly model: string;
  /** The longest context, where the server says it. */
  readonly max_model_len: number | null;
  readonly ignore_eos: boolean;
  readonly extra_body: Readonly<Record<string, unknown>>;
}

/** Where the answers came from and how; may change when a run is resumed. */
export interface OpenAiEndpoint {
  readonly base_urls: readonly string[];
  readonly stream: boolean;
  /** Never their values. */
  readonly header_names: readonly string[];
}

/**
 * Finds the servers and their model. Nothing is generated.
 *
 * @throws UserError for options that cannot be met, a server that cannot be reached, a model that it does not have
 */
export async function openOpenAiRunner(
  options: OpenAiRunnerOptions,
  signal: AbortSignal = new AbortController().signal,
): Promise<OpenAiRunner> {
  const resolved = resolveOptions(options);
  const { dialect, api, stream, ignoreEos, tokenIds, logprobs, extraBody, headers } = resolved;
  const [first, ...others] = resolved.baseUrls;
  const open = (url: URL): Transport => new Transport(url, resolved.timeouts, resolved.limits);
  const transports: [Transport, ...Transport[]] = [open(first), ...others.map(open)];
  const close = async (): Promise<void> => {
    await Promise.all(transports.map((transport) => transport.close()));
  };
  const urls = transports.map(({ baseUrl }) => baseUrl);
  const holds = new Holds(urls, { ...resolved.retries, notify: resolved.notify });
  let served: ServedModel;
  try {
    served = await resolveModel(transports, { ...resolved, holds }, signal);
  } catch (error) {
    await close();
    throw error;
  }
  const note = notes(resolved);
  // A connection that this side has closed would be taken for one that broke, and be tried again for half a minute.
  const closed = new AbortController();
  const probe = (): Promise<Reach> => reachOf(transports, headers, closed.signal);
  const keyAdvice = `set ${keyVariable(options)} to one that it takes`;
  const breaker = new Breaker(resolved.breaker, { probe, keyAdvice });
  const life = { breaker, holds, closed: closed.signal };
  const requester = new Requester({ ...resolved, ...life, transports, note });
  const settings = { dialect, api, model: served.id, stream, ignoreEos, tokenIds, logprobs, extraBody };
  // Of what is asked outside of what is timed and counted.
  const aside: Traffic = { inFlight: 0, pieces: 0 };
  const capturer =
    resolved.captures &&
    createCapturer({ ...resolved, ...life, traffic: aside, captures: resolved.captures, model: served.id });
  const asker = createLogprobAsker({ ...resolved, ...life, traffic: aside, model: served.id });
  return {
    async complete(prompt, ask, caller) {
      const body = buildBody(prompt, ask, settings);
      const { text, reasoning, ...rest } = await requester.ask(
        body,
        (completion) => toAnswer(completion, ask, headers.redact),
        caller,
      );
      const thought = reasoning === undefined ? {} : { reasoning: headers.redactAnswer(reasoning) };
      return { text: headers.redactAnswer(text), ...thought, ...rest };
    },
    ...(capturer !== undefined && { capture: capturer.capture }),
    logprobs: asker.logprobs,
    async close() {
      breaker.close();
      closed.abort(new Error("the runner is closed"));
      await Promise.all([close(), capturer?.close(), asker.close()]);
    },
    identity: {
      name: "openai",
      dialect: resolved.dialectName,
      api,
      model: served.id,
      max_model_len: served.maxModelLen ?? null,
      ignore_eos: ignoreEos,
      extra_body: extraBody,
    },
    endpoint: {
      base_urls: urls,
      stream,
      header_names: headers.addedNames,
    },
    warnings: warningsFor(resolved),
    stats: requester.stats,
    traffic: () => {
      const { inFlight, pieces } = requester.stats;
      return { inFlight: inFlight + aside.inFlight, pieces: pieces + aside.pieces };
    },
  };
}

/** A server that does not know the path or the model: says which models there are. */
function notes(options: ResolvedOptions): Requester404Note {
  const listed = new Map<Transport, Promise<string | undefined>>();
  return async (status, transport, signal) => {
    if (status !== 404) return undefined;
    const known =
      listed.get(transport) ??
      fetchModels(transport, options, signal).then(
        (models) => (models === undefined ? undefined : `the server's models: ${list(models)}`),
        () => undefined,
      );
    listed.set(transport, known);
    return known;
  };
}

type Requester404Note = ConstructorParameters<typeof Requester>[0]["note"];

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function warningsFor({ baseUrls, headers, dialect, api }: ResolvedOptions): string[] {
  const open = baseUrls.filter(({ protocol, hostname }) => protocol === "http:" && !LOOPBACK.test(hostname));
  const plain = open.map(({ host }) => `keys are sent to ${host} unencrypted; use https where others can listen`);
  const template = api === "completions" && dialect.completionsWarning;
  return [...(headers.hasSecrets ? plain : []), ...(template ? [template] : [])];
}
