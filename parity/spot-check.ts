/** The spot check: one implementation on every fixed case, then on drawn ones until its time is over. */
import { setImmediate } from "node:timers/promises";
import { expertData, fittingBlocks } from "../engine/routing/expert-tiles.ts";
import { fusedRoutingFromTopk } from "../engine/routing/fused.ts";
import type { FlatIndex } from "../engine/routing/invariants.ts";
import { routingFromTopk } from "../engine/routing/reference-chain.ts";
import type { RoutingData, RoutingImplementation, RoutingInput, WeightArray } from "../engine/routing/routing-data.ts";
import { checkRouted, type Routed, type RoutedReport } from "./check-routed.ts";
import { addCase, type Coverage, NO_COVERAGE } from "./coverage.ts";
import { drawnCase, fixedCases, type RoutingCase } from "./routing-cases.ts";
import { makeRoutingInput } from "./routing-inputs.ts";

/** An implementation as it is checked. */
export interface Checked {
  readonly flatIndex: FlatIndex;
  /** May keep state from one call to the next, as a kernel that reuses its buffers does. */
  readonly route: (input: RoutingInput<WeightArray>) => Routed;
}

export interface SpotCheckOptions {
  /** What all inputs are drawn from. */
  readonly seed: number;
  /** Seconds for drawn cases, after the fixed ones, which are always run: then no further case is begun. */
  readonly seconds: number;
  /** Told before each case. */
  readonly onProgress?: (progress: SpotCheckProgress) => void;
}

export interface SpotCheckProgress {
  readonly stretch: "fixed" | "drawn";
  /** Of this stretch. */
  readonly cases: number;
  readonly failed: number;
  /** Since the stretch began. */
  readonly seconds: number;
}

/** A case that broke an invariant. */
export interface FailedCase {
  readonly name: string;
  readonly report: RoutedReport;
}

export interface SpotCheck {
  readonly cases: number;
  /** NK, summed over the cases. */
  readonly entries: number;
  /** Single checks. */
  readonly checked: number;
  readonly seconds: number;
  readonly failed: number;
  /** The first of them. */
  readonly failures: readonly FailedCase[];
  readonly covered: Coverage;
}

const MAX_FAILURES = 20;

/** An implementation as the embedded engine takes them; its tiles are those of its own histogram. */
export function checkedImplementation(route: RoutingImplementation, flatIndex: FlatIndex): Checked {
  return {
    flatIndex,
    route: (input) => {
      const data = route(input);
      return { data, experts: expertData(data.hist, fittingBlocks(data.hist)) };
    },
  };
}

/** The embedded engine's fused chain. */
export function embeddedFused(): Checked {
  return checkedImplementation(fusedRoutingFromTopk, "slot");
}

/** A case with its input drawn. */
export interface PreparedCase {
  readonly of: RoutingCase;
  readonly input: RoutingInput<WeightArray>;
  /** The reference chain's answer, made when it is first needed: it takes the longest of all. */
  readonly reference: () => RoutingData<WeightArray>;
}

export function prepareCase(of: RoutingCase, seed: number): PreparedCase {
  const input = makeRoutingInput(of, seed);
  let made: RoutingData<WeightArray> | undefined;
  return { of, input, reference: () => (made ??= routingFromTopk(input)) };
}

/** Checks one case. */
export function checkCase(checked: Checked, { of, input, reference }: PreparedCase): RoutedReport {
  const halfFormat = of.dtype === "f16" ? "f16" : "bf16";
  return checkRouted(input, checked.route(input), checked.flatIndex, halfFormat, reference);
}

/**
 * Runs the spot check. The fixed cases are the same for every seed, but for their numbers. Between two cases whatever else
 * the process does has its turn.
 */
export async function spotCheck(
  checked: Checked,
  { seed, seconds, onProgress = () => {} }: SpotCheckOptions,
): Promise<SpotCheck> {
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  const failures: FailedCase[] = [];
  let covered = NO_COVERAGE;
  let [cases, entries, checks, failed] = [0, 0, 0, 0];
  const check = async (of: RoutingCase): Promise<void> => {
    await setImmediate();
    const report = checkCase(checked, prepareCase(of, seed));
    cases++;
    covered = addCase(covered, of);
    entries += of.nTokens * of.nExpertsAct;
    checks += report.checked;
    if (report.violationCount === 0) return;
    failed++;
    if (failures.length < MAX_FAILURES) failures.push({ name: of.name, report });
  };
  for (const of of fixedCases()) {
    onProgress({ stretch: "fixed", cases, failed, seconds: elapsed() });
    await check(of);
  }
  const [start, before] = [elapsed(), cases];
  for (let index = 0; elapsed() < start + seconds; index++) {
    onProgress({ stretch: "drawn", cases: cases - before, failed, seconds: elapsed() - start });
    await check(drawnCase(seed, index));
  }
  return { cases, entries, checked: checks, seconds: elapsed(), failed, failures, covered };
}
