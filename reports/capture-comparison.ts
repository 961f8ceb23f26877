/** The result of comparing two captures: plain JSON, as `fusecheck parity captures --json` prints it. */
import type { RoutingDetail } from "../metrics/routing-comparison.ts";
import type { RoutingParity } from "../metrics/routing-result.ts";
import type { ReportedPicture } from "./reported-picture.ts";

export interface CaptureSide {
  readonly path: string;
  readonly format: string;
  readonly layers: readonly number[];
  readonly nExpertsAct: number;
  readonly nExpertsTot: number;
  readonly nTokens: number;
  /** Their dtype; null where there are none. */
  readonly weights: string | null;
  readonly margins: boolean;
  readonly notes: readonly string[];
}

/** What both captures say, and so could be compared; `scores`: what one of them says. */
export interface KnownOfBoth {
  /** Input ids: that the captures are of the same tokens was checked. */
  readonly inputIds: boolean;
  /** Which doc each token belongs to, by either. Else all are taken for one doc. */
  readonly docs: boolean;
  readonly weights: boolean;
  readonly margins: boolean;
  /** All scores of close choices, of one of them at least: then any number of experts, and groups, may tie. */
  readonly scores: boolean;
}

export interface CaptureComparison {
  readonly schema: 1;
  /** The first is what the second is held against. */
  readonly captures: readonly [CaptureSide, CaptureSide];
  readonly settings: { readonly weightTolerance: number; readonly nearTieMargin: number };
  readonly known: KnownOfBoth;
  readonly routing: RoutingParity;
  readonly detail: RoutingDetail;
  /** Where it was asked for. */
  readonly picture?: ReportedPicture;
  readonly verdict: CaptureVerdict;
}

export interface CaptureVerdict {
  readonly held: boolean;
  /** What did not hold, or what held, in words. */
  readonly reasons: readonly string[];
}
