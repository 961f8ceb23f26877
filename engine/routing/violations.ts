/** A bounded list of what was found wrong, with the full count. */

/** What must hold for routing data; see `checkRoutingData`. */
export type Invariant =
  | "length"
  | "dtype"
  | "hist"
  | "hist_sum"
  | "permutation"
  | "inverse"
  | "bucket"
  | "gate_scal"
  | "finite"
  | "multiset";

export interface Violation {
  readonly invariant: Invariant;
  /** Where: whichever of these the invariant is about. */
  readonly position?: number;
  readonly expert?: number;
  readonly token?: number;
  readonly expected: string;
  readonly found: string;
}

export interface InvariantReport {
  /** Single checks made: one per array, histogram cell, position or token and invariant. */
  readonly checked: number;
  /** Single checks that failed. */
  readonly violationCount: number;
  /** The first of them, and the first of each invariant. */
  readonly violations: readonly Violation[];
}

export interface Findings {
  checked: number;
  violationCount: number;
  readonly violations: Violation[];
  readonly limit: number;
  /** Invariants that have been reported. */
  readonly broken: Set<Invariant>;
}

export function startFindings(limit: number): Findings {
  return { checked: 0, violationCount: 0, violations: [], limit, broken: new Set() };
}

export function report(findings: Findings, violation: Violation): void {
  findings.violationCount++;
  const isFirst = !findings.broken.has(violation.invariant);
  if (isFirst) findings.broken.add(violation.invariant);
  // Thousands of wrong counts must not hide that the indices are wrong as well.
  if (isFirst || findings.violations.length < findings.limit) findings.violations.push(violation);
}

export function toReport({ checked, violationCount, violations }: Findings): InvariantReport {
  return { checked, violationCount, violations };
}
