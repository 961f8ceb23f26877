/** What engines may do differently: none of it may be called a fault. */
import { fusedRoutingFromTopk } from "../../engine/routing/fused.ts";
import { routingFromTopk } from "../../engine/routing/reference-chain.ts";
import { selectExperts, type Selection } from "../../engine/routing/select-experts.ts";
import type { LegalRouting, SelectionFault } from "./fault.ts";
import type { SelectionCase } from "./selection-cases.ts";
import { choose, copy } from "./selection-faults.ts";
import { buckets, exchange, spoiled, withTiles } from "./spoil.ts";

export const LEGAL_ROUTING: readonly LegalRouting[] = [
  {
    name: "order inside every expert shuffled (a race)",
    flatIndex: "slot",
    route: () =>
      spoiled((data) => {
        for (const [start, end] of buckets(data)) {
          // A fixed permutation that moves nearly every entry.
          for (let at = end - 1; at > start; at--) exchange(data, at, start + ((at * 7919) % (at - start + 1)));
        }
      }),
  },
  {
    name: "flat index by rank in the sorted row",
    note: "as the reference chain, and said so",
    flatIndex: "row-sorted",
    route: () => (input) => withTiles(routingFromTopk(input)),
  },
  {
    name: "more room for tiles, unused ones -1",
    flatIndex: "slot",
    route: () => (input) => {
      const { data, experts } = withTiles(fusedRoutingFromTopk(input));
      if (experts === undefined) return { data };
      const tiles = experts.tiles.map(({ blockPidMap, ...tile }) =>
        Object.assign(tile, { blockPidMap: Int32Array.from([...blockPidMap, -1, -1]) }),
      );
      return { data, experts: { ...experts, tiles } };
    },
  },
];

export const LEGAL_SELECTION: readonly SelectionFault[] = [
  { name: "slots of every row in another order", select: reverseSlots },
  { name: "logits that differ in the last bit", note: "sums in another order", select: noise },
  { name: "softmax over the K chosen, in place of all and renormalised", select: softmaxAfterTopk },
  {
    name: "ties broken to the other side, another engine",
    select: (of) => choose(of, { ties: "highest" }),
  },
];

function reverseSlots({ sound, options }: SelectionCase): Selection {
  const out = copy(sound);
  const k = options.nExpertsAct;
  for (let start = 0; start < out.topkIds.length; start += k) {
    out.topkIds.subarray(start, start + k).reverse();
    out.topkWeights.subarray(start, start + k).reverse();
  }
  return out;
}

function noise({ logits, options }: SelectionCase): Selection {
  return selectExperts(
    logits.map((logit, at) => logit * (1 + (at % 2 === 0 ? 1 : -1) * 1.2e-7)),
    options,
  );
}

function softmaxAfterTopk(of: SelectionCase): Selection {
  return of.options.scoring === "softmax" ? choose(of, { softmaxAfterTopk: true }) : of.sound;
}
