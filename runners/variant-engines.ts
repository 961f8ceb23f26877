/** The engine of a run, in as many configurations as the run has variants. */
import { UserError } from "../errors.ts";
import type { Runner } from "./runner.ts";
import type { TokenDecoder } from "./token-decoder.ts";

export type VariantName = "baseline" | "fused";

/** What decides the answers and both variants share. Plain JSON. */
export interface EngineIdentity {
  readonly name: string;
  readonly model: string;
  readonly [fact: string]: unknown;
}

/** What one variant was found to be, beyond what was asked for: addresses, versions, what its server says of itself. */
export type VariantFacts = Readonly<Record<string, unknown>>;

export interface OpenContext {
  readonly signal: AbortSignal;
  /** The variant's folder of the run; an engine may keep its log there. It exists. */
  readonly folder: string;
  /** Something to know, such as what is being waited for. */
  readonly note: (text: string) => void;
}

export interface OpenedVariant {
  readonly runner: Runner;
  readonly facts: VariantFacts;
}

export interface VariantEngines {
  /** Whether both variants are asked at the same time. */
  readonly parallel: boolean;
  /** @throws UserError when the engine is not there, or is not what was asked for */
  identity(signal: AbortSignal): Promise<EngineIdentity>;
  /** Finds what can be wrong before anything is written. Missing where `identity` has done so. */
  check?(signal: AbortSignal): Promise<void>;
  /** The variant's runner; the same one until it is released. */
  open(variant: VariantName, context: OpenContext): Promise<OpenedVariant>;
  /** Text of the model's tokens. Missing where the tokenizer is not at hand. */
  tokenDecoder?(): TokenDecoder | undefined;
  /** Why two variants must not be compared, by their facts; empty where nothing speaks against it. */
  differences(baseline: VariantFacts, fused: VariantFacts): readonly string[];
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
