/** Holds the routing data of forward passes to their invariants, for the sequences that ask for it. */
import type { InvariantCount } from "./requests.ts";
import { checkRoutingData } from "./routing/invariants.ts";
import type { FlatIndex } from "./routing/invariants.ts";
import type { RoutingData, RoutingInput } from "./routing/routing-data.ts";

/** Violations kept in full; more of the same kind tell nothing new. */
const MAX_VIOLATIONS = 8;

/** What was found in the passes that one sequence took part in. */
export class RoutingCheck {
  readonly #violations: InvariantCount["violations"][number][] = [];
  #checked = 0;
  #broken = 0;

  /** The sequence's own entries, so that the count does not depend on which others ran beside it. */
  count(entries: number): void {
    this.#checked += entries;
  }

  add(layer: number, violations: readonly InvariantCount["violations"][number][], broken: number): void {
    this.#broken += broken;
    const room = Math.max(0, MAX_VIOLATIONS - this.#violations.length);
    this.#violations.push(...violations.slice(0, room).map((violation) => Object.assign({}, violation, { layer })));
  }

  result(): InvariantCount {
    return { checked: this.#checked, broken: this.#broken, violations: this.#violations };
  }
}

/**
 * Checks one pass as a whole, once. What is broken in it is noted with the first of the sequences: it need not be that
 * one's row, but it is counted once.
 *
 * @param entries - of each of the sequences in this pass
 */
export function checkPass(
  checks: readonly RoutingCheck[],
  entries: number,
  layer: number,
  input: RoutingInput,
  data: RoutingData,
  flatIndex: FlatIndex,
): void {
  const [first] = checks;
  if (first === undefined) return;
  const { violations, violationCount } = checkRoutingData(input, data, flatIndex, { maxViolations: MAX_VIOLATIONS });
  for (const check of checks) check.count(entries);
  first.add(
    layer,
    violations.map((violation) => Object.assign({ layer }, violation)),
    violationCount,
  );
}
