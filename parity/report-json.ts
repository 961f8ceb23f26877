/** What a check found as plain JSON, as `fusecheck parity routing --json` prints it. */
import type { CheckedDump } from "./check-dump.ts";
import type { RoutedReport } from "./check-routed.ts";
import type { Coverage } from "./coverage.ts";
import type { SpotCheck } from "./spot-check.ts";

interface RoutingVerdict {
  readonly held: boolean;
  /** What did not hold, or what held, in words. */
  readonly reasons: readonly string[];
}

export interface SpotCheckJson extends Omit<SpotCheck, "failures" | "covered"> {
  readonly schema: 1;
  readonly implementation: string;
  readonly seed: number;
  /** The first of the cases that failed. */
  readonly failures: readonly ({ readonly case: string } & RoutedReport)[];
  readonly covered: Coverage;
  readonly verdict: RoutingVerdict;
}

/** @param implementation - what was checked */
export function spotCheckJson(implementation: string, seed: number, check: SpotCheck): SpotCheckJson {
  const { failures, failed, cases } = check;
  return {
    schema: 1,
    implementation,
    seed,
    ...check,
    failures: failures.map(({ name, report }) => Object.assign({ case: name }, report)),
    verdict: verdictOf(failed, `${failed} of ${cases} cases break an invariant`, `${cases} cases keep every invariant`),
  };
}

export interface DumpJson {
  readonly schema: 1;
  readonly path: string;
  readonly cases: number;
  /** One per case and implementation, in the order of the file. */
  readonly answers: readonly ({ readonly case: string; readonly implementation: string } & RoutedReport)[];
  readonly verdict: RoutingVerdict;
}

export function dumpJson({ path, cases, results }: CheckedDump): DumpJson {
  const broken = results.filter(({ report }) => report.violationCount > 0).length;
  const all = results.length;
  return {
    schema: 1,
    path,
    cases,
    answers: results.map(({ of, implementation, report }) => Object.assign({ case: of.name, implementation }, report)),
    verdict: verdictOf(broken, `${broken} of ${all} answers break an invariant`, `${all} answers keep every invariant`),
  };
}

function verdictOf(broken: number, fault: string, sound: string): RoutingVerdict {
  return { held: broken === 0, reasons: [broken === 0 ? sound : fault] };
}
