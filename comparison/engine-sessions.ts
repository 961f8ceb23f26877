/** Whether a variant's sessions were all with one engine, and what to say where they were not. Pure. */
import type { EngineSession } from "../reports/run-record.ts";
import type { VariantEngines, VariantFacts } from "../runners/variant-engines.ts";
import { counted } from "../reports/number-text.ts";

type Changes = VariantEngines["changes"];

/**
 * Why an engine must not go on with what earlier sessions found; empty where nothing speaks against it. It is held to all
 * of them: one in between may not have said what it was.
 */
export function unlikeEarlier(
  history: readonly EngineSession[],
  now: VariantFacts,
  changes: Changes,
): readonly string[] {
  return [...new Set(history.filter(hasFound).flatMap(({ engine }) => changes(engine, now)))];
}

/** What differs between the engines of a variant's sessions, in sentences. */
export function changesWithin(name: string, history: readonly EngineSession[], changes: Changes): readonly string[] {
  const engines: Engine[] = [];
  for (const session of history.filter(hasFound)) {
    const same = engines.find(({ sessions }) =>
      sessions.every(({ engine }) => changes(engine, session.engine).length === 0),
    );
    if (same === undefined) engines.push({ sessions: [session] });
    else same.sessions.push(session);
  }
  return engines.flatMap((one, i) =>
    engines.slice(i + 1).map((other) => `${name} ${split(one, other)}: ${between(one, other, changes).join("; ")}`),
  );
}

/** Sessions that one engine may have had. */
interface Engine {
  readonly sessions: EngineSession[];
}

/** One that was opened and ended before anything came of it leaves nothing that could be mixed. */
function hasFound({ answered, judged }: EngineSession): boolean {
  return answered > 0 || judged === true;
}

/** Who comes back to an earlier engine finds the same change the other way round: the first pair says it all. */
function between(one: Engine, other: Engine, changes: Changes): readonly string[] {
  const pairs = one.sessions.flatMap((a) => other.sessions.map((b) => changes(a.engine, b.engine)));
  return pairs.find((found) => found.length > 0) ?? [];
}

function split(one: Engine, other: Engine): string {
  const [a, b] = [answeredBy(one), answeredBy(other)];
  if (a > 0 && b > 0) return `was answered by two engines, ${counted(a, "doc")} by one and ${b} by another`;
  return "was answered by one engine and its routing or log-probabilities come from another";
}

function answeredBy({ sessions }: Engine): number {
  return sessions.reduce((sum, { answered }) => sum + answered, 0);
}
