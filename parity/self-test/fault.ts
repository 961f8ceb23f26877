/** What the self-test injects: faults, which must be caught, and legal variations, which must not. */
import type { FlatIndex } from "../../engine/routing/invariants.ts";
import type { Selection } from "../../engine/routing/select-experts.ts";
import type { SelectionCase } from "./selection-cases.ts";
import type { Route } from "./spoil.ts";

interface Described {
  /** Unique among all faults and variations. */
  readonly name: string;
  /** The real bug that it is, and where it was seen. */
  readonly seen?: string;
  /** How it is put in, where that is not plain. */
  readonly note?: string;
}

/** A fault of the routing data. */
export interface RoutingFault extends Described {
  /** A faulty implementation without a past. */
  readonly route: () => Route;
}

export interface LegalRouting extends RoutingFault {
  readonly flatIndex: FlatIndex;
}

/** A fault of the choice of experts or of their weights. */
export interface SelectionFault extends Described {
  readonly select: (of: SelectionCase) => Selection;
  /**
   * Judge as within one engine: its routers see the same logits and use the same tie rule, so not even an exact tie may
   * be broken otherwise. Default: across engines, where near-ties are legal.
   */
  readonly sameEngine?: boolean;
}
