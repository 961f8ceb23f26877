/** The engine of a run, in as many configurations as the run has variants. */
import type { Runner } from "./runner.ts";

export type VariantName = "baseline" | "fused";

/** What decides the answers and both variants share. Plain JSON. */
export interface EngineIdentity {
  readonly name: string;
  readonly model: string;
  readonly [fact: string]: unknown;
}

export interface OpenContext {
  readonly signal: AbortSignal;
  /** The variant's folder of the run; an engine may keep its log there. It exists. */
  readonly folder: string;
  /** What is happening while the engine takes its time. */
  readonly onProgress: (what: string) => void;
}

export interface VariantEngines {
  /** @throws UserError when the engine is not there, or is not what was asked for */
  identity(signal: AbortSignal): Promise<EngineIdentity>;
  /** Finds what can be wrong before anything is written. Missing where `identity` has done so. */
  check?(signal: AbortSignal): Promise<void>;
  /** The variant's runner; the same one until it is released. */
  open(variant: VariantName, context: OpenContext): Promise<Runner>;
  /** No more is asked of the variant: its engine may go, so that the next one has the machine for itself. */
  release(variant: VariantName): Promise<void>;
  /** Releases all. */
  close(): Promise<void>;
}
