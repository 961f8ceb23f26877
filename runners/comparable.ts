/** Whether two variants may be compared at all. Pure. */
import type { EnginePreset } from "./engines/preset.ts";
import type { Facts } from "./launch/identity.ts";

/** What is known of one variant. What is not known is left out, and then not judged. */
export interface VariantFacts {
  readonly model?: string;
  /** The longest context, where the server says it. */
  readonly maxModelLen?: number;
  readonly dialect?: string;
  readonly api?: string;
  readonly maxTokens?: number;
  /** Of all prompts, in order. */
  readonly promptsHash?: string;
  /** What the server says of itself. */
  readonly facts?: Facts;
}

export interface ComparableOptions {
  /** Of the engine that both are. */
  readonly preset: Pick<EnginePreset, "sameFacts" | "prefixCaching">;
  /** Facts that are meant to differ: what the switch is about. */
  readonly meantToDiffer?: readonly string[];
  /** What the two are called. Default: `in baseline`, `in fused`. */
  readonly sides?: readonly [string, string];
}

type Value = string | number | boolean | undefined;

/** Why the two must not be compared, one reason each; empty where nothing speaks against it. */
export function comparable(
  baseline: VariantFacts,
  fused: VariantFacts,
  { preset, meantToDiffer = [], sides: [one, two] = ["in baseline", "in fused"] }: ComparableOptions,
): readonly string[] {
  const facts = (side: VariantFacts): Facts => side.facts ?? {};
  const caching = (side: VariantFacts): Value => preset.prefixCaching.read?.(facts(side));
  const stated = ["version", "build_info", ...preset.sameFacts].filter((name) => !meantToDiffer.includes(name));
  const rows: readonly (readonly [string, Value, Value])[] = [
    ["the model", baseline.model, fused.model],
    ["the longest context", baseline.maxModelLen, fused.maxModelLen],
    ["the dialect", baseline.dialect, fused.dialect],
    ["the API", baseline.api, fused.api],
    ["max_tokens", baseline.maxTokens, fused.maxTokens],
    ["the hash of the prompts", baseline.promptsHash, fused.promptsHash],
    ["prefix caching", onOff(caching(baseline)), onOff(caching(fused))],
    ...stated.map((name) => [`the server's ${name}`, facts(baseline)[name], facts(fused)[name]] as const),
  ];
  return rows.flatMap(([what, a, b]) =>
    a === undefined || b === undefined || a === b ? [] : [`${what} differs: ${a} ${one}, ${b} ${two}`],
  );
}

/**
 * Facts that a switch changes by what it is: of `--moe-runner-backend`, the fact `moe_runner_backend`; of
 * `--disable-shared-experts-fusion`, the fact `disable_shared_experts_fusion`.
 */
export function factsOfFlags(...sides: readonly (readonly string[])[]): readonly string[] {
  const flags = sides.flat().filter((arg) => arg.startsWith("--"));
  const names = flags.map((flag) => flag.slice(2).split("=")[0]!.replaceAll("-", "_"));
  return [...new Set(names.flatMap((name) => [name, name.replace(/^enforce_/, "disable_")]))];
}

function onOff(value: Value): string | undefined {
  return value === undefined ? undefined : value === true ? "on" : "off";
}
