/** From what the user says of two variants to what is done. The one place where these defaults are. Pure. */
import { split } from "shlex";
import { UserError } from "../../errors.ts";
import { factsOfFlags } from "../comparable.ts";
import { getEngine, getSwitch } from "../engines/index.ts";
import type { EngineName, EnginePreset, Side } from "../engines/index.ts";
import { DEFAULT_HANG_MS } from "../launch/index.ts";
import type { ServerSpec } from "../launch/index.ts";
import { durationMs } from "./duration.ts";
import type { UserConfig, UserDuration, UserEnv, UserLaunch, UserVariant, UserWords } from "./user-config.ts";

export type VariantSpec =
  /** Replicas of one server, which somebody else has started. */
  | { readonly kind: "running"; readonly baseUrls: readonly [string, ...string[]] }
  | { readonly kind: "launch"; readonly spec: ServerSpec };

export interface ResolvedShared {
  readonly engine: EngineName;
  readonly preset: EnginePreset;
  readonly model: string | undefined;
  readonly api: "completions" | "chat";
  readonly hangMs: number;
  /** The user agrees that what the engine leaves between two starts is removed. */
  readonly clearCache: boolean;
  readonly apiKeyEnv: string | undefined;
  readonly headerEnv: Readonly<Record<string, string>>;
}

export interface ResolvedVariants extends ResolvedShared {
  readonly baseline: VariantSpec;
  readonly fused: VariantSpec;
  /** Both servers at the same time. */
  readonly parallel: boolean;
  /** What the servers say of themselves and is meant to differ. */
  readonly meantToDiffer: readonly string[];
  /** For the user to see once. */
  readonly notes: readonly string[];
}

/** @throws UserError for what cannot be done as asked, two variants that are the same among it */
export function resolveVariants(config: UserConfig): ResolvedVariants {
  const shared = resolveShared(config);
  const { preset } = shared;
  const baseline = resolveVariant("baseline", config, preset);
  const fused = resolveVariant("fused", config, preset);
  if (JSON.stringify(baseline) === JSON.stringify(fused)) throw new UserError(sameMessage(config, preset));
  const parallel = config.parallel ?? false;
  const chosen = config.switch === undefined ? undefined : getSwitch(preset, config.switch);
  const launched = [baseline, fused].flatMap((each) => (each.kind === "launch" ? [each.spec] : []));
  if (parallel) checkPorts(launched);
  const shareDevices = parallel && launched.length === 2 && devicesOf(launched[0]) === devicesOf(launched[1]);
  return {
    ...shared,
    baseline,
    fused,
    parallel,
    meantToDiffer: factsOfFlags(...argsThatDiffer(launched)),
    notes: [
      ...(chosen?.caution === undefined ? [] : [`${config.switch}: ${chosen.caution}`]),
      ...(shareDevices ? ["both servers run at the same time on the same devices: their speeds mean nothing"] : []),
    ],
  };
}

/** The baseline alone, where nothing is compared. */
export function resolveBaseline(config: UserConfig): ResolvedShared & { readonly baseline: VariantSpec } {
  const shared = resolveShared(config);
  return { ...shared, baseline: resolveVariant("baseline", config, shared.preset) };
}

function resolveShared(config: UserConfig): ResolvedShared {
  const engine = config.engine ?? "openai";
  const { timeouts = {} } = config;
  return {
    engine: engine as EngineName,
    preset: getEngine(engine),
    model: config.model,
    api: config.api ?? "completions",
    hangMs: toMs(timeouts.hang, DEFAULT_HANG_MS),
    clearCache: config.clear_cache ?? false,
    apiKeyEnv: config.api_key_env,
    headerEnv: config.header_env ?? {},
  };
}

type Name = "baseline" | "fused";

function resolveVariant(name: Name, config: UserConfig, preset: EnginePreset): VariantSpec {
  const own = config.variants?.[name] ?? {};
  if (own.base_url !== undefined) return running(name, own);
  const shared: UserLaunch = config.launch ?? {};
  const command = own.command ?? shared.command ?? preset.launch?.command;
  if (command === undefined)
    throw new UserError(
      `nothing says where ${name} is: give it a base URL, or a launch command (${preset.title} has none of its own)`,
    );
  const sides = [...sharedSides(config, preset), ...switchSide(name, config, preset)];
  const merged = { ...shared, ...own };
  const { shell, cwd, host, port, health = preset.healthPath } = merged;
  const { timeouts = {}, model } = config;
  return {
    kind: "launch",
    spec: {
      command: typeof command === "string" ? command : command.map(String),
      args: [...wordsOf(shared.args), ...sides.flatMap(({ args = [] }) => args), ...wordsOf(own.args)],
      env: {
        ...preset.launch?.env,
        ...textEnv(shared.env),
        ...deviceEnv(merged.devices),
        ...Object.assign({}, ...sides.map(({ env }) => env)),
        ...textEnv(own.env),
      },
      healthPath: health,
      startupMs: toMs(timeouts.startup, preset.startupMs),
      stopSignal: preset.stopSignal,
      graceMs: toMs(timeouts.stop, preset.graceMs),
      identify: preset.identify,
      ...(model !== undefined && { model }),
      ...(shell !== undefined && { shell }),
      ...(cwd !== undefined && { cwd }),
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
    },
  };
}

function running(name: Name, { base_url: urls = [], ...rest }: UserVariant): VariantSpec {
  const [other] = Object.keys(rest);
  if (other !== undefined)
    throw new UserError(`${name} has a base_url, so it is not started; take its ${other} away, or the base_url`);
  const [first, ...others] = [urls].flat();
  if (first === undefined) throw new UserError(`${name} has an empty list of base URLs`);
  return { kind: "running", baseUrls: [first, ...others] };
}

function sharedSides(config: UserConfig, preset: EnginePreset): readonly Side[] {
  return [
    ...(config.prefix_caching === false ? [preset.prefixCaching.off] : []),
    ...(config.deterministic === true ? [preset.deterministic] : []),
  ];
}

function switchSide(name: Name, config: UserConfig, preset: EnginePreset): readonly Side[] {
  if (config.switch === undefined) return [];
  const { off, on } = getSwitch(preset, config.switch);
  return [name === "baseline" ? off : on];
}

function wordsOf(words: UserWords = []): readonly string[] {
  if (typeof words !== "string") return words.map(String);
  try {
    return split(words);
  } catch {
    throw new UserError(`these args have a quote that is never closed: ${words}`);
  }
}

function textEnv(env: UserEnv = {}): Record<string, string | null> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value === null ? null : String(value)]));
}

/** NVIDIA's variable and AMD's; each ignores the other's. */
function deviceEnv(devices: string | number | undefined): Record<string, string> {
  return devices === undefined ? {} : { CUDA_VISIBLE_DEVICES: String(devices), HIP_VISIBLE_DEVICES: String(devices) };
}

function devicesOf(spec: ServerSpec | undefined): string | null | undefined {
  return spec?.env?.["CUDA_VISIBLE_DEVICES"];
}

function toMs(duration: UserDuration | undefined, fallback: number): number {
  if (duration === undefined) return fallback;
  const ms = durationMs(duration);
  if (ms === undefined) throw new UserError(`"${duration}" is not a duration; expected such as 90s or 30m`);
  return ms;
}

function checkPorts(launched: readonly ServerSpec[]): void {
  const ports = launched.flatMap(({ port }) => (port === undefined ? [] : [port]));
  if (new Set(ports).size < ports.length)
    throw new UserError(`both variants have port ${ports[0]}, so they cannot run at the same time; give them two`);
}

function argsThatDiffer([a, b]: readonly ServerSpec[]): readonly (readonly string[])[] {
  const [one, other] = [a?.args ?? [], b?.args ?? []];
  // A flag whose value differs counts by its name.
  const flags = (args: readonly string[], rest: readonly string[]): readonly string[] =>
    args.flatMap((arg, i) => (rest.includes(arg) ? [] : [arg, ...(arg.startsWith("--") ? [] : [args[i - 1] ?? ""])]));
  return [flags(one, other), flags(other, one)];
}

function sameMessage({ variants = {} }: UserConfig, { title, switches }: EnginePreset): string {
  if (variants.baseline?.base_url !== undefined)
    return "baseline and fused have the same base URL: nothing would be compared; give each its own";
  const names = Object.keys(switches);
  const known = names.length === 0 ? "" : ` (${title} has: ${names.join(", ")})`;
  return `baseline and fused are started the same way: nothing would be compared; name a switch${known}, or give each variant its env, args or command`;
}
