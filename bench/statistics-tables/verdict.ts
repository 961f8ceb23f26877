/** How often the verdict is wrong, and how often it finds what is there: counted out, and simulated beside it. */
import { decide } from "../../metrics/decide.ts";
import type { Decision } from "../../metrics/decide.ts";
import { decisionProbabilities, planDocs } from "../../metrics/plan-docs.ts";
import { markdownTable } from "../markdown-table.ts";
import { byCounts, Draws, percent, pointsOf, shareOf } from "./simulate.ts";
import type { Truth } from "./simulate.ts";

export const DOCS: readonly number[] = [100, 1319, 5000];
const DISCORDANCES: readonly number[] = [0.002, 0.01, 0.03, 0.1];
const MARGIN = 0.01;
const TRIALS = 20_000;

/** `2.24 % (2.31 %)`: counted out, and simulated. */
export function chanceOf(decision: Decision, docs: number, truth: Truth): string {
  const exact = decisionProbabilities(docs, { ...truth, margin: MARGIN })[decision];
  const draws = new Draws(`${decision} ${docs} ${truth.discordance} ${truth.difference}`);
  const decided = byCounts((pairs) => decide(pairs, { margin: MARGIN }));
  const simulated = shareOf(TRIALS, () => decided(draws.pairs(docs, truth)) === decision);
  return `${percent(exact)} (${percent(simulated)})`;
}

function table(first: string, rows: readonly (readonly [label: string, truth: Truth])[], decision: Decision): string {
  return markdownTable(
    [first, ...DOCS.map((docs) => `n = ${docs}`)],
    rows.map(([label, truth]) => [label, ...DOCS.map((docs) => chanceOf(decision, docs, truth))]),
  );
}

/** `regressed` where nothing differs. */
export function falseAlarms(): string {
  const rows = DISCORDANCES.map((discordance) => [percent(discordance, 1), { discordance, difference: 0 }] as const);
  return `${table("discordant docs", rows, "regressed")}\n\n${worstFalseAlarm()}`;
}

/** Mid-p does not guarantee its level, so the worst is looked for. */
function worstFalseAlarm(): string {
  let worst = { chance: 0, docs: 0, discordance: 0 };
  for (const docs of [10, 20, 50, 100, 200, 500, 1319, 5000]) {
    for (let step = 0; step <= 40; step++) {
      const discordance = 0.001 * 500 ** (step / 40);
      const chance = decisionProbabilities(docs, { discordance, margin: 0 }).regressed;
      if (chance > worst.chance) worst = { chance, docs, discordance };
    }
  }
  const { chance, docs, discordance } = worst;
  return (
    `Counted out (simulated, ${TRIALS.toLocaleString("en-US")} runs each). The largest chance anywhere from 10 to 5,000 docs and from ` +
    `0.1 to 50 % discordant docs, at a margin of 0 (which calls nothing equivalent): ${percent(chance)}, of ${docs} docs with ` +
    `${percent(discordance, 1)} discordant.`
  );
}

/** `equivalent` where fused is worse by just the margin. */
export function falseEquivalence(): string {
  const rows = [0.01, 0.02, 0.03, 0.1].map(
    (discordance) => [percent(discordance, 1), { discordance, difference: -MARGIN }] as const,
  );
  return table("discordant docs", rows, "equivalent");
}

/** `regressed` where there is a loss. */
export function power(): string {
  const rows = [0.01, 0.02, 0.05].flatMap((loss) =>
    [0, 0.02, 0.1].map((more) => {
      const truth = { discordance: loss + more, difference: -loss };
      return [`${pointsOf(loss)}, ${percent(truth.discordance, 0)} discordant`, truth] as const;
    }),
  );
  return table("true loss", rows, "regressed");
}

/** `equivalent` where nothing differs. */
export function powerOfEquivalence(): string {
  const rows = [0, ...DISCORDANCES].map(
    (discordance) => [percent(discordance, 1), { discordance, difference: 0 }] as const,
  );
  return table("discordant docs", rows, "equivalent");
}

/** How many docs `equivalent` takes. */
export function docsNeeded(): string {
  const margins = [0.005, 0.01, 0.02];
  return markdownTable(
    ["discordant docs", ...margins.map((margin) => `margin of ${pointsOf(margin)}`)],
    [0, ...DISCORDANCES].map((discordance) =>
      [percent(discordance, 1)].concat(margins.map((margin) => docsFor(discordance, margin))),
    ),
  );
}

function docsFor(discordance: number, margin: number): string {
  const plan = planDocs({ discordance, margin });
  return plan.kind === "docs" ? plan.docs.toLocaleString("en-US") : "out of reach";
}
