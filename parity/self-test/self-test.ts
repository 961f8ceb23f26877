/** The check is itself checked: every fault must be caught by its level, and no legal variation flagged. */
import { fixedCases, type RoutingCase } from "../routing-cases.ts";
import { type Checked, checkCase, type PreparedCase, prepareCase } from "../spot-check.ts";
import type { RoutingFault, SelectionFault } from "./fault.ts";
import { judgeSelection } from "./judge-selection.ts";
import { LEGAL_ROUTING, LEGAL_SELECTION } from "./legal.ts";
import { ROUTING_FAULTS } from "./routing-faults.ts";
import { type SelectionCase, selectionCases } from "./selection-cases.ts";
import { SELECTION_FAULTS } from "./selection-faults.ts";

/** One fault or variation, and what the check said of it. */
export interface SelfTestRow {
  readonly name: string;
  readonly seen?: string;
  readonly note?: string;
  readonly kind: "fault" | "legal";
  readonly level: 1 | 2;
  /** The first case that was not sound; undefined where all of them were. */
  readonly caught?: Caught;
  /** Choices that differed and were excused as near-ties (level 2). */
  readonly nearTies: number;
}

export interface Caught {
  /** Names of what was broken, or the reason. */
  readonly by: readonly string[];
  readonly case: string;
  /** Cases run up to and with that one. */
  readonly cases: number;
  /** Entries (a token's expert) in these. */
  readonly entries: number;
}

export interface SelfTest {
  readonly rows: readonly SelfTestRow[];
  readonly seconds: number;
  /** Faults not caught, and legal variations flagged. */
  readonly wrong: readonly SelfTestRow[];
}

/** Runs every fault and every variation through the fixed cases of the spot check. */
export function selfTest(seed: number): SelfTest {
  const began = performance.now();
  const cases = new Map<RoutingCase, PreparedCase>();
  const all = fixedCases();
  /** Made when first needed: most faults show in the first few cases. */
  function* prepared(): Generator<PreparedCase, void, undefined> {
    for (const of of all) {
      const made = cases.get(of) ?? prepareCase(of, seed);
      cases.set(of, made);
      yield made;
    }
  }
  const selections = selectionCases(seed);
  const rows = [
    ...ROUTING_FAULTS.map((each) => onLevel1(each, { flatIndex: "slot", route: each.route() }, "fault", prepared())),
    ...SELECTION_FAULTS.map((each) => onLevel2(each, "fault", selections)),
    ...LEGAL_ROUTING.map((each) =>
      onLevel1(each, { flatIndex: each.flatIndex, route: each.route() }, "legal", prepared()),
    ),
    ...LEGAL_SELECTION.map((each) => onLevel2(each, "legal", selections)),
  ];
  const wrong = rows.filter(({ kind, caught }) => (kind === "fault") === (caught === undefined));
  return { rows, seconds: (performance.now() - began) / 1000, wrong };
}

function onLevel1(
  fault: RoutingFault,
  checked: Checked,
  kind: SelfTestRow["kind"],
  cases: Iterable<PreparedCase>,
): SelfTestRow {
  const row = { ...described(fault), kind, level: 1, nearTies: 0 } as const;
  let [count, entries] = [0, 0];
  for (const prepared of cases) {
    count++;
    entries += prepared.input.topkIds.length;
    const { violationCount, violations } = checkCase(checked, prepared);
    if (violationCount === 0) continue;
    const by = [...new Set(violations.map(({ invariant }) => invariant))];
    return { ...row, caught: { by, case: prepared.of.name, cases: count, entries } };
  }
  return row;
}

function onLevel2(fault: SelectionFault, kind: SelfTestRow["kind"], cases: readonly SelectionCase[]): SelfTestRow {
  const row = { ...described(fault), kind, level: 2 } as const;
  let [entries, nearTies] = [0, 0];
  for (const [index, of] of cases.entries()) {
    entries += of.sound.topkIds.length;
    const verdict = judgeSelection(of, fault.select(of), fault.sameEngine === true);
    nearTies += verdict.nearTies;
    if (verdict.fault === undefined) continue;
    return { ...row, nearTies, caught: { by: [verdict.fault], case: of.name, cases: index + 1, entries } };
  }
  return { ...row, nearTies };
}

function described({ name, seen, note }: RoutingFault | SelectionFault): Pick<SelfTestRow, "name" | "seen" | "note"> {
  return { name, ...(seen !== undefined && { seen }), ...(note !== undefined && { note }) };
}
