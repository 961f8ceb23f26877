/** What the cases of a check were, added up as they are run: a nightly check runs millions. */
import type { RoutingCase } from "./routing-cases.ts";

type Range = readonly [least: number, most: number];

/** Smallest and largest sizes, and each kind that was met, with its number of cases. */
export interface Coverage {
  readonly nTokens: Range;
  readonly nExpertsAct: Range;
  readonly nExpertsTot: Range;
  readonly entries: Range;
  readonly kinds: Readonly<Record<Kind, Readonly<Record<string, number>>>>;
}

type Kind = "load" | "scoring" | "dtype" | "mapped" | "size";

const NONE: Range = [Infinity, 0];

/** The coverage of no cases. */
export const NO_COVERAGE: Coverage = {
  nTokens: NONE,
  nExpertsAct: NONE,
  nExpertsTot: NONE,
  entries: NONE,
  kinds: { load: {}, scoring: {}, dtype: {}, mapped: {}, size: {} },
};

export function addCase(to: Coverage, of: RoutingCase): Coverage {
  const entries = of.nTokens * of.nExpertsAct;
  const kinds: Record<Kind, string> = {
    load: of.load,
    scoring: of.scoring,
    dtype: of.dtype,
    mapped: of.mapped ? "with an expert map" : "without",
    size: sizeOf(entries),
  };
  const count = (kind: Kind): Readonly<Record<string, number>> => ({
    ...to.kinds[kind],
    [kinds[kind]]: (to.kinds[kind][kinds[kind]] ?? 0) + 1,
  });
  return {
    nTokens: widen(to.nTokens, of.nTokens),
    nExpertsAct: widen(to.nExpertsAct, of.nExpertsAct),
    nExpertsTot: widen(to.nExpertsTot, of.nExpertsTot),
    entries: widen(to.entries, entries),
    kinds: {
      load: count("load"),
      scoring: count("scoring"),
      dtype: count("dtype"),
      mapped: count("mapped"),
      size: count("size"),
    },
  };
}

function widen([least, most]: Range, value: number): Range {
  return [Math.min(least, value), Math.max(most, value)];
}

function sizeOf(entries: number): string {
  if (entries > 65536) return "NK > 65536";
  if (entries > 4096) return "NK > 4096";
  return entries === 4096 ? "NK = 4096" : "NK < 4096";
}
