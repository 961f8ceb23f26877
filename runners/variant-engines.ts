/** The engine of a run, in as many configurations as the run has variants. */
import { UserError } from "../errors.ts";
import type { Runner } from "./runner.ts";
import type { TokenDecoder } from "./token-decoder.ts";

/** `baseline-repeat` is the baseline asked once more: what two runs of one engine differ by. */
export type VariantName = "baseline" | "fused" | "baseline-repeat";

/** What decides the answers and both variants share. Plain JSON. */
export interface EngineIdentity {
  readonly name: string;
  readonly model: string;
  readonly [fact: string]: unknown;
}

/** What one variant was found to be, beyond what was asked for: addresses, versions, what its server says of itself. */
export type VariantFacts = Readonly<Record<string, unknown>>;

/** `captures`: nothing that is asked is timed. */
export type OpenPurpose = "answers" | "captures";

export interface OpenContext {
  readonly purpose: OpenPurpose;
  readonly signal: AbortSignal;
  /** The variant's folder of the run; an engine may keep its log there. It exists. */
  readonly folder: string;
  /** Something to know, such as what is being waited for. */
  readonly note: (text: string) => void;
}

/**
 * What is to be found of the routing. `own`: the engine shows all of it. `asked`: it is captured from servers, and where
 * they give none, something is missing. Otherwise log-probabilities and answers have to do.
 */
export type RoutingSource = "own" | "asked" | "not asked" | "not offered";

export interface OpenedVariant {
  readonly runner: Runner;
  readonly facts: VariantFacts;
  /** It was started for captures alone: it is not what answered. Default: false. */
  readonly forCaptures?: boolean;
}

export interface VariantEngines {
  /** Whether both variants are asked at the same time. */
  readonly parallel: boolean;
  readonly routing: RoutingSource;
  /** Whether its runners show what layers give out. Default: false. */
  readonly outputs?: boolean;
  /** One variant has to be released before the other can be opened. Default: false. */
  readonly inTurn?: boolean;
  /** @throws UserError when the engine is not there, or is not what was asked for */
  identity(signal: AbortSignal): Promise<EngineIdentity>;
  /** Finds what can be wrong before anything is written. Missing where `identity` has done so. */
  check?(signal: AbortSignal): Promise<void>;
  /** The variant's runner; the same one until it is released, or opened for captures where these need another. */
  open(variant: VariantName, context: OpenContext): Promise<OpenedVariant>;
  /** Text of the model's tokens. Missing where the tokenizer is not at hand. */
  tokenDecoder?(): TokenDecoder | undefined;
  /** Why two variants must not be compared, by their facts; empty where nothing speaks against it. */
  differences(baseline: VariantFacts, fused: VariantFacts): readonly string[];
  /** Why one variant's answers of before and from now on are not one engine's, by its facts of then and now. */
  changes(before: VariantFacts, now: VariantFacts): readonly string[];
  /** No more is asked of the variant: its engine may go, so that the next one has the machine for itself. */
  release(variant: VariantName): Promise<void>;
  /** Releases all. */
  close(): Promise<void>;
}

export function incomparable(reason: string): UserError {
  return new UserError(
    `these variants must not be compared: ${reason}; make them alike, or say --allow-differences if it is meant`,
  );
}

export function changedSince(variant: VariantName, change: string): UserError {
  return new UserError(
    `${variant} is not the engine that it was when this run began: ${change}; start that one again, ` +
      `choose another --output, or say --allow-differences to have one variant answered by both`,
  );
}
