/** What `fusecheck capture` captured: plain JSON, as `--json` prints it. */
import type { JsonObject } from "./json.ts";

export interface CapturedDocCount {
  readonly doc_id: number;
  readonly promptTokens: number;
  /** With its last token, which is not run. */
  readonly completionTokens: number;
}

export interface Captured {
  readonly schema: 1;
  readonly path: string;
  readonly bytes: number;
  readonly variant: string;
  readonly engine: JsonObject;
  /** `generated`: each completion is the engine's own, greedily; `given`: it was given. */
  readonly kind: "generated" | "given";
  readonly docs: readonly CapturedDocCount[];
  /** Tokens that were run. */
  readonly tokens: number;
  readonly layers: readonly number[];
  /** K */
  readonly nExpertsAct: number;
  /** E */
  readonly nExpertsTot: number;
  readonly weights: boolean;
  readonly margins: boolean;
  /** Entries of the routing data that were held to their invariants; null where the engine does not show them. */
  readonly invariants: {
    readonly checked: number;
    readonly broken: number;
    readonly firstBroken: string | null;
  } | null;
  readonly notes: readonly string[];
  readonly seconds: number;
}
