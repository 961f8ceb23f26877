/** Servers as the two variants of a run: such as run already, or launched one after the other or side by side. */
import { join } from "node:path";
import { captureLaunch } from "./capture-launch.ts";
import { comparable, factsOfFlags } from "./comparable.ts";
import type { ResolvedShared, VariantSpec } from "./config/index.ts";
import { clearEngineCache } from "./engines/index.ts";
import { launchServer, readServerFacts, stopAndRelease, watchServer } from "./launch/index.ts";
import type { Facts, LaunchedServer, LaunchProgress, ServerSpec, ServerWatch } from "./launch/index.ts";
import { resolveHeaders } from "./openai/headers.ts";
import { openOpenAiRunner } from "./openai/index.ts";
import type { OpenAiRunner, OpenAiRunnerOptions } from "./openai/index.ts";
import { scoreByCapture } from "./score-by-capture.ts";
import type { Runner } from "./runner.ts";
import { incomparable } from "./variant-engines.ts";
import type {
  EngineIdentity,
  OpenContext,
  OpenedVariant,
  RoutingSource,
  VariantEngines,
  VariantFacts,
  VariantName,
} from "./variant-engines.ts";
import { watched } from "./watched-runner.ts";

export interface ServerVariantsOptions {
  readonly shared: ResolvedShared;
  readonly baseline: VariantSpec;
  /** Missing where the baseline alone is asked. */
  readonly fused?: VariantSpec;
  readonly parallel?: boolean;
  /** Facts that the switch is about. */
  readonly meantToDiffer?: readonly string[];
  /** For the user to know before the baseline is opened. */
  readonly notes?: readonly string[];
  /** Open also what must not be compared. Default: false. */
  readonly allowDifferences?: boolean;
  /** How servers are asked; what the preset and the config say comes on top. */
  readonly ask: Omit<OpenAiRunnerOptions, "baseUrls" | "model" | "dialect" | "api" | "apiKeyEnv">;
}

interface Open {
  readonly opened: OpenedVariant;
  readonly runner: OpenAiRunner;
  readonly server?: LaunchedServer;
  readonly watch?: ServerWatch;
  readonly note: (text: string) => void;
}

interface Launch {
  readonly spec: ServerSpec;
  readonly forCaptures: boolean;
  /** To be known of what answers. */
  readonly facts: VariantFacts;
}

/** Said of what was timed. */
const CAPTURES_ON = "timed answers ran with captures on";

export class ServerVariants implements VariantEngines {
  readonly parallel: boolean;
  readonly routing: RoutingSource;
  readonly inTurn: boolean;
  readonly #options: ServerVariantsOptions;
  readonly #open = new Map<VariantName, Promise<Open>>();

  constructor(options: ServerVariantsOptions) {
    this.#options = options;
    this.parallel = options.parallel ?? false;
    const offered = options.shared.preset.capture.form !== "none";
    this.routing = options.ask.captures !== undefined ? "asked" : offered ? "not asked" : "not offered";
    const launched = [options.baseline, options.fused].some((spec) => spec !== undefined && spec.kind !== "running");
    this.inTurn = launched && !this.parallel;
  }

  /** A launched server says what it is only once it runs, so what decides is how it is launched. */
  async identity(signal: AbortSignal): Promise<EngineIdentity> {
    const { shared, ask } = this.#options;
    const specs = { baseline: this.#options.baseline, fused: this.#options.fused };
    const asked = { extra_body: ask.extraBody ?? {}, ignore_eos: ask.ignoreEos ?? false, api: shared.api };
    const common = { name: shared.engine, dialect: shared.preset.dialect, ...asked };
    const [baseline, fused] = await Promise.all([
      this.#variantIdentity(specs.baseline, signal),
      specs.fused && this.#variantIdentity(specs.fused, signal),
    ]);
    const launches = {
      ...(baseline.launch && { baseline: baseline.launch }),
      ...(fused?.launch && { fused: fused.launch }),
    };
    return { ...common, model: baseline.model, ...(Object.keys(launches).length > 0 && { launch: launches }) };
  }

  /** Running servers are looked at before anything is written. */
  async check(signal: AbortSignal): Promise<void> {
    const { baseline, fused } = this.#options;
    if (baseline.kind !== "running" || fused?.kind !== "running") return;
    const [a, b] = await Promise.all([this.#factsOf(baseline, signal), this.#factsOf(fused, signal)]);
    const [first] = this.#options.allowDifferences === true ? [] : this.differences(a, b);
    if (first !== undefined) throw incomparable(first);
  }

  async open(variant: VariantName, context: OpenContext): Promise<OpenedVariant> {
    if (await this.#mustStartAnew(variant, context)) await this.release(variant);
    const opening = this.#open.get(variant) ?? this.#start(variant, context);
    this.#open.set(variant, opening);
    try {
      return (await opening).opened;
    } catch (error) {
      this.#open.delete(variant);
      throw error;
    }
  }

  differences(baseline: VariantFacts, fused: VariantFacts): readonly string[] {
    const { shared, meantToDiffer = [] } = this.#options;
    return comparable(known(baseline), known(fused), { preset: shared.preset, meantToDiffer });
  }

  changes(before: VariantFacts, now: VariantFacts): readonly string[] {
    const { preset } = this.#options.shared;
    // A server that is started for captures is the same engine, but for what captures need.
    const meantToDiffer = factsOfFlags(preset.capture.args ?? []);
    return comparable(known(before), known(now), { preset, meantToDiffer, sides: ["before", "now"] });
  }

  async release(variant: VariantName): Promise<void> {
    const opening = this.#open.get(variant);
    this.#open.delete(variant);
    const open = await opening?.catch(() => undefined);
    if (open === undefined) return;
    open.watch?.release();
    await open.runner.close();
    if (open.server === undefined) return;
    const release = await stopAndRelease(open.server);
    if (release.kind === "held")
      open.note(`warning: its server has ended, but GPU memory is still held by process ${release.pids.join(", ")}`);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((variant) => this.release(variant)));
  }

  /** Whether what runs was started for answers, and captures need more than that. */
  async #mustStartAnew(variant: VariantName, { purpose }: OpenContext): Promise<boolean> {
    const spec = this.#specOf(variant);
    if (purpose !== "captures" || spec?.kind !== "launch" || !this.#open.has(variant)) return false;
    if (captureLaunch(spec.spec, this.#options.shared.preset.capture).kind !== "anew") return false;
    const open = await this.#open.get(variant)?.catch(() => undefined);
    return open?.opened.forCaptures !== true;
  }

  /** How a variant's server is started for a purpose. */
  #launchOf(spec: ServerSpec, { purpose, note }: OpenContext): Launch {
    const { ask, shared } = this.#options;
    const asIs = { spec, forCaptures: false, facts: {} };
    if (ask.captures === undefined) return asIs;
    const launch = captureLaunch(spec, shared.preset.capture);
    if (launch.kind === "same") {
      if (purpose === "answers") note(`warning: ${CAPTURES_ON}: its own launch arguments say so`);
      return { ...asIs, facts: { captures: CAPTURES_ON } };
    }
    if (launch.kind !== "anew" || purpose === "answers") return asIs;
    note(`its server is started for captures, with ${launch.added}`);
    return { spec: launch.spec, forCaptures: true, facts: {} };
  }

  #specOf(variant: VariantName): VariantSpec | undefined {
    return this.#options[variant === "baseline-repeat" ? "baseline" : variant];
  }

  async #start(variant: VariantName, context: OpenContext): Promise<Open> {
    if (variant === "baseline") for (const text of this.#options.notes ?? []) context.note(text);
    const spec = this.#specOf(variant);
    if (spec === undefined) throw new Error(`nothing says what ${variant} is`);
    if (spec.kind === "running") return this.#connect(spec.baseUrls, undefined, context);
    const { shared, ask } = this.#options;
    const { signal, folder, note } = context;
    const cleared = await clearEngineCache(shared.preset, { confirmed: shared.clearCache });
    if (cleared.kind === "not confirmed") note(`${cleared.folder} is left as it is: ${cleared.because}`);
    const launch = this.#launchOf(spec.spec, context);
    const server = await launchServer(launch.spec, {
      logFile: join(folder, "server.log"),
      ask: { ...ask, ...this.#protocol() },
      signal,
      onProgress: throttled(note),
    });
    try {
      const open = await this.#connect([server.baseUrl], server, context);
      const { opened } = open;
      const { forCaptures } = launch;
      return { ...open, opened: { ...opened, forCaptures, facts: { ...opened.facts, ...launch.facts } } };
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #connect(
    baseUrls: readonly string[],
    server: LaunchedServer | undefined,
    { signal, note }: OpenContext,
  ): Promise<Open> {
    const runner = await this.#runner(baseUrls, signal, note);
    for (const warning of runner.warnings) note(`warning: ${warning}`);
    const { hangMs } = this.#options.shared;
    const watch = server && watchServer(server, { traffic: runner.traffic, hangMs });
    const facts = await this.#describe(runner, baseUrls, server, signal);
    const scoring: Runner = { ...runner, ...(runner.capture && { score: scoreByCapture(runner) }) };
    const opened = { runner: watch === undefined ? scoring : watched(scoring, watch.signal), facts };
    return { opened, runner, note, ...(server && { server }), ...(watch && { watch }) };
  }

  #runner(
    baseUrls: readonly string[],
    signal: AbortSignal,
    notify: (text: string) => void = () => {},
  ): Promise<OpenAiRunner> {
    return openOpenAiRunner({ ...this.#options.ask, ...this.#protocol(), baseUrls, notify }, signal);
  }

  #protocol(): Pick<OpenAiRunnerOptions, "model" | "dialect" | "api" | "apiKeyEnv" | "headerEnv"> {
    const { model, preset, api, apiKeyEnv, headerEnv } = this.#options.shared;
    return {
      dialect: preset.dialect,
      api,
      headerEnv: { ...headerEnv, ...this.#options.ask.headerEnv },
      ...(model !== undefined && { model }),
      ...(apiKeyEnv !== undefined && { apiKeyEnv }),
    };
  }

  async #variantIdentity(
    spec: VariantSpec,
    signal: AbortSignal,
  ): Promise<{ readonly model: string; readonly launch?: Readonly<Record<string, unknown>> }> {
    if (spec.kind === "running") return { model: String((await this.#factsOf(spec, signal))["model"]) };
    const { command, args = [], env = {}, cwd = null } = spec.spec;
    return { model: this.#options.shared.model ?? "as launched", launch: { command, args, env, cwd } };
  }

  async #factsOf(spec: Extract<VariantSpec, { kind: "running" }>, signal: AbortSignal): Promise<VariantFacts> {
    const runner = await this.#runner(spec.baseUrls, signal);
    try {
      return await this.#describe(runner, spec.baseUrls, undefined, signal);
    } finally {
      await runner.close();
    }
  }

  async #describe(
    { identity, endpoint }: OpenAiRunner,
    [first = ""]: readonly string[],
    server: LaunchedServer | undefined,
    signal: AbortSignal,
  ): Promise<VariantFacts> {
    const { identify } = this.#options.shared.preset;
    const headers = resolveHeaders({ ...this.#options.ask, ...this.#protocol() }).fields;
    const said = server?.facts ?? (await readServerFacts(new URL(first).origin, identify, signal, headers));
    return {
      ...endpoint,
      model: identity.model,
      max_model_len: identity.max_model_len,
      server: said,
      ...(server && { argv: server.argv, startup_s: Math.round(server.startupMs) / 1000 }),
    };
  }
}

function known({ model, max_model_len: maxModelLen, server }: VariantFacts): Parameters<typeof comparable>[0] {
  return {
    ...(typeof model === "string" && { model }),
    ...(typeof maxModelLen === "number" && { maxModelLen }),
    facts: (server ?? {}) as Facts,
  };
}

const NOTE_EVERY_MS = 10_000;

/** What a server is waited for, now and then. */
function throttled(note: (text: string) => void): (progress: LaunchProgress) => void {
  let said = -NOTE_EVERY_MS;
  return ({ phase, elapsedMs, detail, logLine }) => {
    if (phase !== "ready" && elapsedMs - said < NOTE_EVERY_MS) return;
    said = elapsedMs;
    const seconds = `${(elapsedMs / 1000).toFixed(0)} s`;
    note(phase === "ready" ? `ready after ${seconds}` : `${detail}, ${seconds}${logLine ? `; log: ${logLine}` : ""}`);
  };
}
