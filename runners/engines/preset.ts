/** What fusecheck has to know of an engine to run it twice, once with a fused kernel off and once with it on. */
import type { Facts, Identify } from "../launch/identity.ts";
import type { DialectName } from "../openai/index.ts";

/** What one variant is given over the other. */
export interface Side {
  readonly args?: readonly string[];
  /** Null takes a variable away: for some switches, exporting 0 is not the same as leaving it unset. */
  readonly env?: Readonly<Record<string, string | null>>;
}

/** A switch on the engine's routing path; both of its sides are spelled out, because defaults change between versions. */
export interface RoutingSwitch {
  /** What is compared. */
  readonly about: string;
  readonly off: Side;
  readonly on: Side;
  /** What else the user has to know. */
  readonly caution?: string;
}

/** How an engine says which experts it chose. */
export type CaptureForm = "sglang-base64-int32" | "vllm-base64-npy" | "none";

export interface EnginePreset {
  /** As its makers write it. */
  readonly title: string;
  readonly dialect: DialectName;
  /** Missing: there is no common way to start it; give a command or base URLs. */
  readonly launch?: {
    readonly command: readonly string[];
    /** For both variants: above all, what would replace the router is taken away. */
    readonly env?: Readonly<Record<string, string | null>>;
  };
  readonly healthPath: string;
  /** What a good health means; a completed token is asked for in any case. */
  readonly healthMeans: string;
  readonly startupMs: number;
  readonly stopSignal: NodeJS.Signals;
  readonly graceMs: number;
  /** A cache that outlives the server and may carry one variant's code into the other. */
  readonly clearBetween?: {
    /** Below the user's home, in parts. Its contents go, itself it stays. */
    readonly folder: readonly [string, string, ...string[]];
    readonly because: string;
  };
  readonly switches: Readonly<Record<string, RoutingSwitch>>;
  /** How a server is started that gives routed experts: it may be slower in all it does, so it answers nothing else. */
  readonly capture: Side & { readonly form: CaptureForm; readonly about: string };
  readonly identify: readonly Identify[];
  /** Facts that decide the answers: where both variants say them, they must be the same, unless the switch is about them. */
  readonly sameFacts: readonly string[];
  readonly prefixCaching: {
    /** Where the server says it; undefined where it does not. */
    readonly read?: (facts: Facts) => boolean | undefined;
    /** Takes it out of the comparison. */
    readonly off: Side;
    readonly about: string;
  };
  /** For runs that should repeat themselves. */
  readonly deterministic: Side & { readonly about: string };
  /** What else to know; one sentence each. */
  readonly notes: readonly string[];
}

const MINUTE_MS = 60_000;

/** As the engines' own tests wait for large models. */
export const LARGE_MODEL_STARTUP_MS: number = 30 * MINUTE_MS;

/** A server that is told to end finishes or drops its requests and lets go of its GPUs. */
export const GRACE_MS = 30_000;

export const NO_CAPTURE: EnginePreset["capture"] = {
  form: "none",
  about: "says nothing of its experts over HTTP",
};

/** One variable, set to each of its two values. */
export function envSwitch(
  name: string,
  off: string | null,
  on: string | null,
  both: Side["env"] = {},
): {
  readonly off: Side;
  readonly on: Side;
} {
  return { off: { env: { ...both, [name]: off } }, on: { env: { ...both, [name]: on } } };
}

/** One flag, with each of its two values. */
export function flagSwitch(flag: string, off: string, on: string): { readonly off: Side; readonly on: Side } {
  return { off: { args: [flag, off] }, on: { args: [flag, on] } };
}
