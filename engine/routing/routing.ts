/** The two ways to make routing data: `reference` before the kernels were fused, `fused` after. */
import { fusedRoutingFromTopk } from "./fused.ts";
import { routingFromTopk } from "./reference-chain.ts";
import type { RoutingImplementation } from "./routing-data.ts";

export type RoutingName = "reference" | "fused";

export const ROUTING: Readonly<Record<RoutingName, RoutingImplementation>> = {
  reference: routingFromTopk,
  fused: fusedRoutingFromTopk,
};
