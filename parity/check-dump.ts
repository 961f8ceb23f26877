/** Level 1 on a dump: each implementation of each case, and no two of them to be taken on trust. */
import { openSafetensors, type SafetensorsFile } from "../engine/safetensors.ts";
import { checkRouted, type RoutedReport } from "./check-routed.ts";
import {
  type DumpCase,
  type DumpedImplementation,
  halfFormatOf,
  readDumpCases,
  readDumpInput,
  readDumpRouted,
} from "./dump.ts";

export interface CheckedDump {
  readonly path: string;
  readonly cases: number;
  /** One per case and implementation, in the order of the file. */
  readonly results: readonly DumpResult[];
}

export interface DumpResult {
  readonly of: DumpCase;
  readonly implementation: string;
  readonly report: RoutedReport;
}

/**
 * Checks a dump. The implementation named `ref` is taken to use the row-sorted flat index, all others the slot index.
 * @throws UserError where the file is none that can be judged
 */
export function checkDump(path: string): CheckedDump {
  const file = openSafetensors(path);
  try {
    const cases = readDumpCases(file);
    const results = cases.flatMap((of) =>
      of.implementations.map((implementation) => ({
        of,
        implementation: implementation.name,
        report: checkOne(file, of, implementation),
      })),
    );
    return { path, cases: cases.length, results };
  } finally {
    file.close();
  }
}

function checkOne(file: SafetensorsFile, of: DumpCase, implementation: DumpedImplementation): RoutedReport {
  // bf16 and f16 are both held as their bits, so only the file's dtypes tell them apart.
  if (implementation.weightDtype !== of.weightDtype) {
    const [expected, found] = [of.weightDtype, implementation.weightDtype];
    const violation = { invariant: "dtype", where: "gate_scal", expected, found };
    return { checked: 1, violationCount: 1, violations: [violation] };
  }
  const flatIndex = implementation.name === "ref" ? "row-sorted" : "slot";
  return checkRouted(readDumpInput(file, of), readDumpRouted(file, of, implementation), flatIndex, halfFormatOf(of));
}
