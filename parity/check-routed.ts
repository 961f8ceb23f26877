/** Level 1: are these routing data right for this selection? Every invariant, then the reference chain's own answer. */
import type { HalfFormat } from "../engine/half-floats.ts";
import { compareRoutingData } from "../engine/routing/compare-routing-data.ts";
import { type ExpertData, expertData, type ExpertTiles } from "../engine/routing/expert-tiles.ts";
import { checkRoutingData, type FlatIndex } from "../engine/routing/invariants.ts";
import { routingFromTopk } from "../engine/routing/reference-chain.ts";
import type { RoutingData, RoutingInput, WeightArray } from "../engine/routing/routing-data.ts";
import type { InvariantReport, Violation } from "../engine/routing/violations.ts";

/** What an implementation made of an input. */
export interface Routed {
  readonly data: RoutingData<WeightArray>;
  /** Offsets and tiles, of whichever block sizes it makes; left out where it makes none. */
  readonly experts?: ExpertData | undefined;
}

/** A broken invariant: where, and both values. */
export interface RoutedViolation {
  /** As `checkRoutingData` and `compareRoutingData` name it; or `ids`, `token_offs_raw`, `token_offs_pad`, `block_pid_map`. */
  readonly invariant: string;
  readonly where: string;
  readonly expected: string;
  readonly found: string;
}

export interface RoutedReport {
  /** Single checks made. */
  readonly checked: number;
  readonly violationCount: number;
  /** The first few, and the first of each invariant. */
  readonly violations: readonly RoutedViolation[];
}

/** Violations kept in full, besides the first of each invariant; more of the same kind tell nothing new. */
const MAX_VIOLATIONS = 20;

/**
 * Checks one implementation's answer. Time is linear in NK*K; what is broken cannot make it longer, as the comparison
 * with the reference chain is only made of data that keep every invariant.
 *
 * @param halfFormat - what the bits of `Uint16Array` weights mean
 * @param reference - the reference chain's answer, where it is at hand
 */
export function checkRouted(
  input: RoutingInput<WeightArray>,
  { data, experts }: Routed,
  flatIndex: FlatIndex,
  halfFormat: HalfFormat = "bf16",
  reference: () => RoutingData<WeightArray> = () => routingFromTopk(input),
): RoutedReport {
  const strays = strayIds(input);
  if (strays.violationCount > 0) return strays;
  const options = { halfFormat, maxViolations: MAX_VIOLATIONS };
  const invariants = worded(checkRoutingData(input, data, flatIndex, options));
  if (invariants.violationCount > 0) return join(strays, invariants);
  const expected = reference();
  const compared = worded(compareRoutingData(expected, data, input.nExpertsAct, options));
  const tiles = experts === undefined ? NOTHING : checkTiles(expected.hist, experts);
  return join(join(strays, invariants), join(compared, tiles));
}

const NOTHING: RoutedReport = { checked: 0, violationCount: 0, violations: [] };

function join(a: RoutedReport, b: RoutedReport): RoutedReport {
  return {
    checked: a.checked + b.checked,
    violationCount: a.violationCount + b.violationCount,
    violations: [...a.violations, ...b.violations],
  };
}

/** Without an expert map, a kernel writes out of bounds for an id that is no expert's. */
function strayIds({ topkIds, nExpertsAct, nExpertsTot, expertMap }: RoutingInput<WeightArray>): RoutedReport {
  if (expertMap !== undefined) return NOTHING;
  const at = topkIds.findIndex((id) => id < 0 || id >= nExpertsTot);
  if (at < 0) return { ...NOTHING, checked: topkIds.length };
  const violation = {
    invariant: "ids",
    where: `token ${Math.floor(at / nExpertsAct)}, slot ${at % nExpertsAct}`,
    expected: `an expert in [0, ${nExpertsTot})`,
    found: `${topkIds[at]}`,
  };
  return { checked: topkIds.length, violationCount: 1, violations: [violation] };
}

function worded({ checked, violationCount, violations }: InvariantReport): RoutedReport {
  return { checked, violationCount, violations: violations.map(word) };
}

function word({ invariant, position, expert, token, expected, found }: Violation): RoutedViolation {
  const places = Object.entries({ position, expert, token }).filter(([, value]) => value !== undefined);
  const where = places.map(([name, value]) => `${name} ${value}`).join(", ");
  return { invariant, where: where === "" ? "the arrays" : where, expected, found };
}

/** Offsets and tiles are exact: a pure function of the histogram. */
function checkTiles(hist: Int32Array, found: ExpertData): RoutedReport {
  const blockMs = found.tiles.map(({ blockM }) => blockM);
  const expected = expertData(hist, blockMs);
  const raw = checkArray("token_offs_raw", expected.tokenOffsRaw, found.tokenOffsRaw);
  return found.tiles.reduce((report, tiles, index) => join(report, checkBlock(expected.tiles[index]!, tiles)), raw);
}

function checkBlock(expected: ExpertTiles, found: ExpertTiles): RoutedReport {
  const block = `, block of ${found.blockM}`;
  // Kernels differ in how many unused tiles they leave room for; all that are there must be -1.
  const used = expected.tokenOffsPad.at(-1) ?? 0;
  const map = Int32Array.from({ length: Math.max(used, found.blockPidMap.length) }, (_, tile) =>
    tile < used ? expected.blockPidMap[tile]! : -1,
  );
  return join(
    checkArray("token_offs_pad", expected.tokenOffsPad, found.tokenOffsPad, block),
    checkArray("block_pid_map", map, found.blockPidMap, block),
  );
}

function checkArray(invariant: string, expected: Int32Array, found: Int32Array, block = ""): RoutedReport {
  const checked = expected.length;
  const at = expected.findIndex((value, index) => value !== found[index]);
  if (at < 0 && expected.length === found.length) return { ...NOTHING, checked };
  const [index, is, was] =
    at < 0
      ? ["length", `${expected.length}`, `${found.length}`]
      : [`index ${at}`, `${expected[at]}`, `${found[at] ?? "the end of the array"}`];
  return {
    checked,
    violationCount: 1,
    violations: [{ invariant, where: `${index}${block}`, expected: is, found: was }],
  };
}
